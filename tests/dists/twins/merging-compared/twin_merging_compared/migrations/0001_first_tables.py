"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "twin_merging_compared__thing",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("name", c.stored_text(80), nullable=False),
        sa.Column("delivered_to", c.BIGINT, nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_twin_merging_compared__thing_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_twin_merging_compared__thing_account_id", "twin_merging_compared__thing", ["account_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("twin_merging_compared__thing")

"""The table anew."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """To revision 0002."""
    op.drop_table("twin_migrations_lost__thing")
    op.create_table(
        "twin_migrations_lost__thing",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("name", c.stored_text(80), nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_twin_migrations_lost__thing_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_twin_migrations_lost__thing_account_id", "twin_migrations_lost__thing", ["account_id"])


def downgrade() -> None:
    """Nothing: the table looks as before."""

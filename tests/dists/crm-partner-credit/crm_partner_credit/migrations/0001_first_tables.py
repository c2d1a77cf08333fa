"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "partner_credit__line",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("limit_amount", c.Scaled(2)),
        sa.Column("limit_currency", c.stored_text(3)),
        sa.Column("outstanding_amount", c.Scaled(2)),
        sa.Column("outstanding_currency", c.stored_text(3)),
        sa.Column("days_to_pay", c.BIGINT, nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("reviewed_on", sa.Date()),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["crm_account.id"],
            name="fk_partner_credit__line_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("partner_credit__line")

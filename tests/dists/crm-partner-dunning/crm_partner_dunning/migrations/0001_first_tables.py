"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "partner_dunning__notice",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("line_id", c.BIGINT, nullable=False),
        sa.Column("level", c.BIGINT, nullable=False),
        sa.Column("claim_amount", c.Scaled(2)),
        sa.Column("claim_currency", c.stored_text(3)),
        sa.Column("sent_on", sa.Date(), nullable=False),
        sa.Column("settled_on", sa.Date()),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"],
            ["partner_credit__line.id"],
            name="fk_partner_dunning__notice_line_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_partner_dunning__notice_line_id", "partner_dunning__notice", ["line_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("partner_dunning__notice")

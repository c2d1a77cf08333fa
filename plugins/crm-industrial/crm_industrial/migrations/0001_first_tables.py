"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "industrial__programme",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("name", c.stored_text(200), nullable=False),
        sa.Column("name_key", c.stored_text(None), nullable=False),
        sa.Column("budget_amount", c.Scaled(4)),
        sa.Column("budget_currency", c.stored_text(3)),
        sa.Column("unit_id", c.BIGINT),
        sa.Column("first_day", sa.Date()),
        sa.Column("last_day", sa.Date()),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["crm_unit.id"],
            name="fk_industrial__programme_unit_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_industrial__programme_name_key_id", "industrial__programme", ["name_key", "id"])
    op.create_index("ix_industrial__programme_unit_id", "industrial__programme", ["unit_id"])
    op.create_table(
        "industrial__touch",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("programme_id", c.BIGINT),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("at", c.Moment(), nullable=False),
        sa.Column("user_id", c.BIGINT),
        sa.Column("unit_id", c.BIGINT),
        sa.Column("expense_amount", c.Scaled(4)),
        sa.Column("expense_currency", c.stored_text(3)),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_industrial__touch_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"],
            ["industrial__programme.id"],
            name="fk_industrial__touch_programme_id",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["crm_unit.id"],
            name="fk_industrial__touch_unit_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_industrial__touch_user_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_industrial__touch_account_id_at", "industrial__touch", ["account_id", "at"])
    op.create_index("ix_industrial__touch_programme_id", "industrial__touch", ["programme_id"])
    op.create_index("ix_industrial__touch_unit_id", "industrial__touch", ["unit_id"])
    op.create_index("ix_industrial__touch_user_id", "industrial__touch", ["user_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("industrial__touch")
    op.drop_table("industrial__programme")

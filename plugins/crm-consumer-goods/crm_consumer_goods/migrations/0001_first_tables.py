"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "consumer_goods__outlet",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("channel", c.stored_text(40), nullable=False),
        sa.Column("outlet_class", c.stored_text(40), nullable=False),
        sa.Column("visit_frequency", c.BIGINT),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["crm_account.id"],
            name="fk_consumer_goods__outlet_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_consumer_goods__outlet_outlet_class", "consumer_goods__outlet", ["outlet_class"])
    op.create_table(
        "consumer_goods__visit",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("user_id", c.BIGINT),
        sa.Column("activity_id", c.BIGINT),
        sa.Column("planned_on", sa.Date()),
        sa.Column("checked_in_at", c.Moment()),
        sa.Column("checked_out_at", c.Moment()),
        sa.Column("minutes", c.BIGINT),
        sa.Column("place", c.stored_text(200)),
        sa.Column("latitude", c.Scaled(6)),
        sa.Column("longitude", c.Scaled(6)),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_consumer_goods__visit_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["crm_activity.id"],
            name="fk_consumer_goods__visit_activity_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_consumer_goods__visit_user_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_consumer_goods__visit_account_id_checked_in_at", "consumer_goods__visit", ["account_id", "checked_in_at"]
    )
    op.create_index(
        "ix_consumer_goods__visit_account_id_planned_on", "consumer_goods__visit", ["account_id", "planned_on"]
    )
    op.create_index("ix_consumer_goods__visit_activity_id", "consumer_goods__visit", ["activity_id"])
    op.create_index("ix_consumer_goods__visit_user_id_planned_on", "consumer_goods__visit", ["user_id", "planned_on"])
    op.create_table(
        "consumer_goods__store_check",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("visit_id", c.BIGINT, nullable=False),
        sa.Column("product", c.stored_text(120), nullable=False),
        sa.Column("on_shelf", sa.Boolean(), nullable=False),
        sa.Column("facings", c.BIGINT),
        sa.Column("price_amount", c.Scaled(4)),
        sa.Column("price_currency", c.stored_text(3)),
        sa.Column("competitor", c.stored_text(120)),
        sa.Column("competitor_price_amount", c.Scaled(4)),
        sa.Column("competitor_price_currency", c.stored_text(3)),
        sa.Column("promotion_material", sa.Boolean(), nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["visit_id"],
            ["consumer_goods__visit.id"],
            name="fk_consumer_goods__store_check_visit_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_consumer_goods__store_check_visit_id", "consumer_goods__store_check", ["visit_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("consumer_goods__store_check")
    op.drop_table("consumer_goods__visit")
    op.drop_table("consumer_goods__outlet")

"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "key_accounts__profile",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("tier", c.stored_text(40), nullable=False),
        sa.Column("target_revenue_amount", c.Scaled(4)),
        sa.Column("target_revenue_currency", c.stored_text(3)),
        sa.Column("plan", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["crm_account.id"],
            name="fk_key_accounts__profile_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_key_accounts__profile_tier", "key_accounts__profile", ["tier"])
    op.create_table(
        "key_accounts__snapshot",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("score", c.Scaled(2), nullable=False),
        sa.Column("scores", c.Json(), nullable=False),
        sa.Column("weights", c.Json(), nullable=False),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_key_accounts__snapshot_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_key_accounts__snapshot_account_id_valid_from", "key_accounts__snapshot", ["account_id", "valid_from"]
    )
    op.create_table(
        "key_accounts__alert",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("snapshot_id", c.BIGINT, nullable=False),
        sa.Column("at", c.Moment(), nullable=False),
        sa.Column("score_before", c.Scaled(2), nullable=False),
        sa.Column("score_after", c.Scaled(2), nullable=False),
        sa.Column("dimension", c.stored_text(40), nullable=False),
        sa.Column("contribution", c.Scaled(2), nullable=False),
        sa.Column("settled_at", c.Moment()),
        sa.Column("settled_by_id", c.BIGINT),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_key_accounts__alert_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["settled_by_id"],
            ["crm_user.id"],
            name="fk_key_accounts__alert_settled_by_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["snapshot_id"],
            ["key_accounts__snapshot.id"],
            name="fk_key_accounts__alert_snapshot_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_key_accounts__alert_account_id", "key_accounts__alert", ["account_id"])
    op.create_index("ix_key_accounts__alert_settled_by_id", "key_accounts__alert", ["settled_by_id"])
    op.create_index("ix_key_accounts__alert_snapshot_id", "key_accounts__alert", ["snapshot_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("key_accounts__alert")
    op.drop_table("key_accounts__snapshot")
    op.drop_table("key_accounts__profile")

"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "leaver__profile",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("stars", c.BIGINT, nullable=False),
        sa.Column("motto", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"],
            ["crm_account.id"],
            name="fk_leaver__profile_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "leaver__tie",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("contact_id", c.BIGINT, nullable=False),
        sa.Column("words", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_leaver__tie_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_leaver__tie_contact_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_leaver__tie_account_id", "leaver__tie", ["account_id"])
    op.create_index("ix_leaver__tie_contact_id", "leaver__tie", ["contact_id"])
    op.create_table(
        "leaver__visit",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("contact_id", c.BIGINT),
        sa.Column("subject", c.stored_text(80), nullable=False),
        sa.Column("remark", c.stored_text(None)),
        sa.Column("met", c.stored_text(80), nullable=False),
        sa.Column("met_key", c.stored_text(None), nullable=False),
        sa.Column("score", c.Scaled(2)),
        sa.Column("count", c.BIGINT, nullable=False),
        sa.Column("cost_amount", c.Scaled(4)),
        sa.Column("cost_currency", c.stored_text(3)),
        sa.Column("day", sa.Date()),
        sa.Column("begun_at", c.Moment()),
        sa.Column("paid", sa.Boolean(), nullable=False),
        sa.Column("labels", c.Tags(), nullable=False),
        sa.Column("readings", c.Json()),
        sa.Column("mood", c.stored_text(40)),
        sa.Column("site_street", c.stored_text(200)),
        sa.Column("site_city", c.stored_text(80)),
        sa.Column("site_region", c.stored_text(80)),
        sa.Column("site_postal_code", c.stored_text(20)),
        sa.Column("site_country", c.stored_text(2)),
        sa.Column("link", c.stored_text(500)),
        sa.Column("mail", c.stored_text(254)),
        sa.Column("call", c.stored_text(40)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_leaver__visit_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_leaver__visit_contact_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_leaver__visit_account_id", "leaver__visit", ["account_id"])
    op.create_index("ix_leaver__visit_contact_id", "leaver__visit", ["contact_id"])
    op.create_index("ix_leaver__visit_met_key_id", "leaver__visit", ["met_key", "id"])
    op.create_table(
        "leaver__step",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("visit_id", c.BIGINT, nullable=False),
        sa.Column("above_id", c.BIGINT),
        sa.Column("name", c.stored_text(80), nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["above_id"],
            ["leaver__step.id"],
            name="fk_leaver__step_above_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["visit_id"],
            ["leaver__visit.id"],
            name="fk_leaver__step_visit_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_leaver__step_above_id", "leaver__step", ["above_id"])
    op.create_index("ix_leaver__step_visit_id", "leaver__step", ["visit_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("leaver__step")
    op.drop_table("leaver__visit")
    op.drop_table("leaver__tie")
    op.drop_table("leaver__profile")

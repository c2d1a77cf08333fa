"""Roles in decisions."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "stakeholders__role",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("contact_id", c.BIGINT, nullable=False),
        sa.Column("subject_type", c.stored_text(80)),
        sa.Column("subject_id", c.BIGINT),
        sa.Column("role", c.stored_text(40), nullable=False),
        sa.Column("scopes", c.Tags(), nullable=False),
        sa.Column("influence", c.BIGINT, nullable=False),
        sa.Column("stance", c.BIGINT),
        sa.Column("strength", c.BIGINT),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_stakeholders__role_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_stakeholders__role_contact_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_stakeholders__role_account_id", "stakeholders__role", ["account_id"])
    op.create_index("ix_stakeholders__role_contact_id", "stakeholders__role", ["contact_id"])
    op.create_index(
        "ix_stakeholders__role_subject_type_subject_id_valid_to",
        "stakeholders__role",
        ["subject_type", "subject_id", "valid_to"],
    )


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("stakeholders__role")

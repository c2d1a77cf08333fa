"""Projects, scores, decisions and milestones."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "project_sales__project",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("name", c.stored_text(200), nullable=False),
        sa.Column("stage", c.stored_text(40), nullable=False),
        sa.Column("budget_amount", c.Scaled(4)),
        sa.Column("budget_currency", c.stored_text(3)),
        sa.Column("expected_close", sa.Date()),
        sa.Column("probability", c.Scaled(4)),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_project_sales__project_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_project_sales__project_account_id_stage", "project_sales__project", ["account_id", "stage"])
    op.create_table(
        "project_sales__decision",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("project_id", c.BIGINT, nullable=False),
        sa.Column("verdict", c.stored_text(40), nullable=False),
        sa.Column("reason", c.stored_text(200)),
        sa.Column("user_id", c.BIGINT),
        sa.Column("score", c.Scaled(2)),
        sa.Column("recommendation", c.stored_text(40)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project_sales__project.id"],
            name="fk_project_sales__decision_project_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_project_sales__decision_user_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_project_sales__decision_project_id_valid_to", "project_sales__decision", ["project_id", "valid_to"]
    )
    op.create_index("ix_project_sales__decision_user_id", "project_sales__decision", ["user_id"])
    op.create_table(
        "project_sales__milestone",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("project_id", c.BIGINT, nullable=False),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("name", c.stored_text(200), nullable=False),
        sa.Column("planned_day", sa.Date(), nullable=False),
        sa.Column("forecast_day", sa.Date()),
        sa.Column("actual_day", sa.Date()),
        sa.Column("reason", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project_sales__project.id"],
            name="fk_project_sales__milestone_project_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_project_sales__milestone_project_id_planned_day", "project_sales__milestone", ["project_id", "planned_day"]
    )
    op.create_table(
        "project_sales__score",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("project_id", c.BIGINT, nullable=False),
        sa.Column("criterion", c.stored_text(40), nullable=False),
        sa.Column("value", c.BIGINT, nullable=False),
        sa.Column("reason", c.stored_text(200)),
        sa.Column("user_id", c.BIGINT),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["project_sales__project.id"],
            name="fk_project_sales__score_project_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_project_sales__score_user_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_project_sales__score_project_id_criterion_valid_to",
        "project_sales__score",
        ["project_id", "criterion", "valid_to"],
    )
    op.create_index("ix_project_sales__score_user_id", "project_sales__score", ["user_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("project_sales__score")
    op.drop_table("project_sales__milestone")
    op.drop_table("project_sales__decision")
    op.drop_table("project_sales__project")

"""First tables."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """To revision 0001."""
    op.create_table(
        "crm_account",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("name", c.stored_text(200), nullable=False),
        sa.Column("name_key", c.stored_text(None), nullable=False),
        sa.Column("local_name", c.stored_text(200)),
        sa.Column("legal_name", c.stored_text(200)),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("registration_country", c.stored_text(2)),
        sa.Column("registration_number", c.stored_text(40)),
        sa.Column("industry", c.stored_text(80)),
        sa.Column("grade", c.stored_text(10)),
        sa.Column("employees", c.BIGINT),
        sa.Column("revenue_amount", c.Scaled(4)),
        sa.Column("revenue_currency", c.stored_text(3)),
        sa.Column("website", c.stored_text(500)),
        sa.Column("email", c.stored_text(254)),
        sa.Column("phone", c.stored_text(40)),
        sa.Column("address_street", c.stored_text(200)),
        sa.Column("address_city", c.stored_text(80)),
        sa.Column("address_region", c.stored_text(80)),
        sa.Column("address_postal_code", c.stored_text(20)),
        sa.Column("address_country", c.stored_text(2)),
        sa.Column("tags", c.Tags(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("note", c.stored_text(None)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_account_grade_name_key_id", "crm_account", ["grade", "name_key", "id"])
    op.create_index("ix_crm_account_name_key_id", "crm_account", ["name_key", "id"])
    op.create_index("ix_crm_account_registration_number", "crm_account", ["registration_number"])
    op.create_table(
        "crm_change",
        sa.Column("change_set_id", c.BIGINT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", c.stored_text(120), nullable=False),
        sa.Column("record_id", c.BIGINT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("operation", c.stored_text(6), nullable=False),
        sa.Column("before", sa.Text()),
        sa.Column("after", sa.Text()),
        sa.PrimaryKeyConstraint("change_set_id", "position"),
        postgresql_partition_by="RANGE (change_set_id)",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_crm_change_record", "crm_change", ["record_id", "version"])
    op.create_table(
        "crm_change_set",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("xid", c.BIGINT, nullable=False),
        sa.Column("place", c.BIGINT, nullable=False),
        sa.Column("at", c.Moment(), nullable=False),
        sa.Column("user_id", c.BIGINT),
        sa.Column("principal", c.stored_text(80), nullable=False),
        sa.Column("reason", c.stored_text(500)),
        sa.Column("source", c.stored_text(40), nullable=False),
        sa.Column("undoes", c.BIGINT),
        sa.PrimaryKeyConstraint("id"),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_crm_change_set_at", "crm_change_set", ["at"])
    op.create_index("ix_crm_change_set_place_id", "crm_change_set", ["place", "id"])
    op.create_table(
        "crm_contact",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("name", c.stored_text(200), nullable=False),
        sa.Column("name_key", c.stored_text(None), nullable=False),
        sa.Column("family_name", c.stored_text(80)),
        sa.Column("given_name", c.stored_text(80)),
        sa.Column("local_name", c.stored_text(200)),
        sa.Column("salutation", c.stored_text(40)),
        sa.Column("language", c.stored_text(20)),
        sa.Column("birthday", sa.Date()),
        sa.Column("note", c.stored_text(None)),
        sa.Column("erased_at", c.Moment()),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_contact_name_key_id", "crm_contact", ["name_key", "id"])
    op.create_table(
        "crm_custom_field",
        sa.Column("type", c.stored_text(120), nullable=False),
        sa.Column("name", c.stored_text(80), nullable=False),
        sa.Column("kind", c.stored_text(20), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("type", "name"),
    )
    op.create_table(
        "crm_external_ref",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("system", c.stored_text(80), nullable=False),
        sa.Column("record_type", c.stored_text(80), nullable=False),
        sa.Column("key", c.stored_text(200), nullable=False),
        sa.Column("record_id", c.BIGINT, nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_external_ref_record_id", "crm_external_ref", ["record_id"])
    op.create_index("uq_crm_external_ref", "crm_external_ref", ["system", "record_type", "key"], unique=True)
    op.create_table(
        "crm_feed_position",
        sa.Column("consumer", c.stored_text(80), nullable=False),
        sa.Column("place", c.BIGINT, nullable=False),
        sa.Column("change_set_id", c.BIGINT, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("put_aside", sa.Integer(), nullable=False),
        sa.Column("retry_at", c.Moment()),
        sa.Column("holder", c.stored_text(80)),
        sa.Column("held_at", c.Moment()),
        sa.Column("held_until", c.Moment()),
        sa.PrimaryKeyConstraint("consumer"),
    )
    op.create_table(
        "crm_id_block",
        sa.Column("name", c.stored_text(20), nullable=False),
        sa.Column("next", c.BIGINT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "crm_job",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("name", c.stored_text(80), nullable=False),
        sa.Column("key", c.stored_text(200)),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("occurrence", c.Moment()),
        sa.Column("state", c.stored_text(10), nullable=False),
        sa.Column("run_at", c.Moment(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker", c.stored_text(80)),
        sa.Column("lease_until", c.Moment()),
        sa.Column("last_error", sa.Text()),
        sa.Column("note", sa.Text()),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("touched_at", c.Moment(), nullable=False),
        sa.Column("started_at", c.Moment()),
        sa.Column("finished_at", c.Moment()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_crm_job_over",
        "crm_job",
        ["state", "finished_at", "id"],
        sqlite_where=sa.text("finished_at IS NOT NULL"),
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_crm_job_running",
        "crm_job",
        ["lease_until"],
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_crm_job_waiting",
        "crm_job",
        ["run_at", "id"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "uq_crm_job_key",
        "crm_job",
        ["name", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("uq_crm_job_occurrence", "crm_job", ["name", "occurrence"], unique=True)
    op.create_index(
        "uq_crm_job_running_key",
        "crm_job",
        ["name", "key"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "crm_job_schedule",
        sa.Column("name", c.stored_text(80), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("next_at", c.Moment()),
        sa.Column("last_at", c.Moment()),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "crm_journal_part",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_at", c.Moment(), nullable=False),
        sa.Column("last_at", c.Moment(), nullable=False),
        sa.Column("cut", c.Moment(), nullable=False),
        sa.Column("place", c.BIGINT, nullable=False),
        sa.Column("change_sets", c.BIGINT, nullable=False),
        sa.Column("changes", c.BIGINT, nullable=False),
        sa.Column("detached_at", c.Moment(), nullable=False),
        sa.Column("file", sa.Text()),
        sa.Column("sha256", sa.Text()),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "crm_last_look",
        sa.Column("user_id", c.BIGINT, nullable=False),
        sa.Column("what", c.stored_text(40), nullable=False),
        sa.Column("at", c.Moment(), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "what"),
    )
    op.create_table(
        "crm_match_key",
        sa.Column("record_id", c.BIGINT, nullable=False),
        sa.Column("source_id", c.BIGINT, nullable=False),
        sa.Column("kind", c.stored_text(20), nullable=False),
        sa.Column("key", c.stored_text(200), nullable=False),
        sa.Column("record_type", c.stored_text(120), nullable=False),
        sa.PrimaryKeyConstraint("record_id", "source_id", "kind", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_crm_match_key_key", "crm_match_key", ["record_type", "kind", "key", "record_id", "source_id"])
    op.create_table(
        "crm_record_type",
        sa.Column("name", c.stored_text(120), nullable=False),
        sa.Column("plugin", c.stored_text(63), nullable=False),
        sa.Column("table", c.stored_text(63), nullable=False),
        sa.Column("label", c.stored_text(120), nullable=False),
        sa.Column("about", sa.Text()),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "crm_redirect",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("record_type", c.stored_text(120), nullable=False),
        sa.Column("source_id", c.BIGINT, nullable=False),
        sa.Column("target_id", c.BIGINT, nullable=False),
        sa.Column("at", c.Moment(), nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_redirect_source_id", "crm_redirect", ["source_id"])
    op.create_index("ix_crm_redirect_target_id", "crm_redirect", ["target_id"])
    op.create_table(
        "crm_reference",
        sa.Column("table", c.stored_text(63), nullable=False),
        sa.Column("column", c.stored_text(63), nullable=False),
        sa.Column("target", c.stored_text(63), nullable=False),
        sa.Column("action", c.stored_text(10), nullable=False),
        sa.Column("type", c.stored_text(120), nullable=False),
        sa.Column("plugin", c.stored_text(63), nullable=False),
        sa.Column("type_column", c.stored_text(63)),
        sa.PrimaryKeyConstraint("table", "column"),
    )
    op.create_table(
        "crm_search_document",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("record_id", c.BIGINT),
        sa.Column("type", c.stored_text(120), nullable=False),
        sa.Column("permission", c.stored_text(120)),
        sa.Column("account_id", c.BIGINT),
        sa.Column("shown_id", c.BIGINT, nullable=False),
        sa.Column("size", sa.SmallInteger(), nullable=False),
        sa.Column("body", c.stored_text(None), nullable=False),
        sa.Column("tokens", c.Lexemes()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_search_document_account_id", "crm_search_document", ["account_id"])
    op.create_index(
        "ix_crm_search_document_record_id",
        "crm_search_document",
        ["record_id"],
        sqlite_where=sa.text("record_id IS NOT NULL"),
        postgresql_where=sa.text("record_id IS NOT NULL"),
    )
    op.create_index(
        "ix_crm_search_document_shown_id",
        "crm_search_document",
        ["shown_id"],
        sqlite_where=sa.text("shown_id <> id"),
        postgresql_where=sa.text("shown_id <> id"),
    )
    op.create_index(
        "ix_crm_search_document_tokens",
        "crm_search_document",
        ["tokens"],
        postgresql_using="gin",
        sqlite_where=sa.text("tokens IS NOT NULL"),
    )
    op.create_table(
        "crm_search_state",
        sa.Column("type", c.stored_text(120), nullable=False),
        sa.Column("signature", c.stored_text(40), nullable=False),
        sa.PrimaryKeyConstraint("type"),
    )
    op.create_table(
        "crm_unit",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("name", c.stored_text(200), nullable=False),
        sa.Column("name_key", c.stored_text(None), nullable=False),
        sa.Column("code", c.stored_text(40)),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("parent_id", c.BIGINT),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["crm_unit.id"], name="fk_crm_unit_parent_id", initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_unit_code", "crm_unit", ["code"])
    op.create_index("ix_crm_unit_name_key_id", "crm_unit", ["name_key", "id"])
    op.create_index("ix_crm_unit_parent_id", "crm_unit", ["parent_id"])
    op.create_table(
        "crm_unit_closure",
        sa.Column("ancestor_id", c.BIGINT, nullable=False),
        sa.Column("descendant_id", c.BIGINT, nullable=False),
        sa.PrimaryKeyConstraint("ancestor_id", "descendant_id"),
    )
    op.create_index("ix_crm_unit_closure_descendant_id", "crm_unit_closure", ["descendant_id", "ancestor_id"])
    op.create_table(
        "crm_user",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("login", c.stored_text(80), nullable=False),
        sa.Column("name", c.stored_text(120), nullable=False),
        sa.Column("name_key", c.stored_text(None), nullable=False),
        sa.Column("email", c.stored_text(254)),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("locale", c.stored_text(20)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_user_login", "crm_user", ["login"])
    op.create_index("ix_crm_user_name_key_id", "crm_user", ["name_key", "id"])
    op.create_table(
        "crm_account_address",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("address_street", c.stored_text(200)),
        sa.Column("address_city", c.stored_text(80)),
        sa.Column("address_region", c.stored_text(80)),
        sa.Column("address_postal_code", c.stored_text(20)),
        sa.Column("address_country", c.stored_text(2)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_account_address_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_account_address_account_id", "crm_account_address", ["account_id"])
    op.create_table(
        "crm_account_relation",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("other_id", c.BIGINT, nullable=False),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("share", c.Scaled(4)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_account_relation_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["other_id"],
            ["crm_account.id"],
            name="fk_crm_account_relation_other_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_account_relation_account_id", "crm_account_relation", ["account_id"])
    op.create_index("ix_crm_account_relation_other_id", "crm_account_relation", ["other_id"])
    op.create_table(
        "crm_activity",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("subject", c.stored_text(200), nullable=False),
        sa.Column("account_id", c.BIGINT),
        sa.Column("contact_id", c.BIGINT),
        sa.Column("user_id", c.BIGINT),
        sa.Column("status", c.stored_text(40), nullable=False),
        sa.Column("planned_start", c.Moment()),
        sa.Column("planned_end", c.Moment()),
        sa.Column("planned_place", c.stored_text(200)),
        sa.Column("started_at", c.Moment()),
        sa.Column("ended_at", c.Moment()),
        sa.Column("place", c.stored_text(200)),
        sa.Column("cost_amount", c.Scaled(4)),
        sa.Column("cost_currency", c.stored_text(3)),
        sa.Column("outcome", c.stored_text(None)),
        sa.Column("feeling", c.stored_text(40)),
        sa.Column("next_step", c.stored_text(200)),
        sa.Column("next_step_due", c.Moment()),
        sa.Column("note", c.stored_text(None)),
        sa.Column("minutes", c.BIGINT),
        sa.Column("series_id", c.BIGINT),
        sa.Column("recurrence", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_activity_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_crm_activity_contact_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["crm_activity.id"],
            name="fk_crm_activity_series_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_crm_activity_user_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_activity_account_id_planned_start", "crm_activity", ["account_id", "planned_start"])
    op.create_index("ix_crm_activity_contact_id", "crm_activity", ["contact_id"])
    op.create_index(
        "ix_crm_activity_planned_start_id_account_id_contact_id_05c05f62",
        "crm_activity",
        ["planned_start", "id", "account_id", "contact_id", "user_id", "created_by"],
    )
    op.create_index("ix_crm_activity_series_id", "crm_activity", ["series_id"])
    op.create_index("ix_crm_activity_user_id_planned_start", "crm_activity", ["user_id", "planned_start"])
    op.create_table(
        "crm_affiliation",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("contact_id", c.BIGINT, nullable=False),
        sa.Column("role", c.stored_text(80)),
        sa.Column("title", c.stored_text(120)),
        sa.Column("department", c.stored_text(120)),
        sa.Column("primary", sa.Boolean(), nullable=False),
        sa.Column("confirmed_at", c.Moment()),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_affiliation_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_crm_affiliation_contact_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_affiliation_account_id", "crm_affiliation", ["account_id"])
    op.create_index("ix_crm_affiliation_contact_id", "crm_affiliation", ["contact_id"])
    op.create_index("ix_crm_affiliation_contact_id_valid_to", "crm_affiliation", ["contact_id", "valid_to"])
    op.create_table(
        "crm_contact_point",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("contact_id", c.BIGINT),
        sa.Column("account_id", c.BIGINT),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("value", c.stored_text(254), nullable=False),
        sa.Column("label", c.stored_text(40)),
        sa.Column("preferred", sa.Boolean(), nullable=False),
        sa.Column("consent", c.stored_text(40), nullable=False),
        sa.Column("consent_at", c.Moment()),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_contact_point_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_crm_contact_point_contact_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_contact_point_account_id", "crm_contact_point", ["account_id"])
    op.create_index("ix_crm_contact_point_contact_id", "crm_contact_point", ["contact_id"])
    op.create_index("ix_crm_contact_point_value", "crm_contact_point", ["value"])
    op.create_table(
        "crm_duty_confirmation",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("duty", c.stored_text(80), nullable=False),
        sa.Column("user_id", c.BIGINT),
        sa.Column("confirmed_at", c.Moment(), nullable=False),
        sa.Column("note", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_duty_confirmation_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_crm_duty_confirmation_user_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_crm_duty_confirmation_account_id_duty_confirmed_at",
        "crm_duty_confirmation",
        ["account_id", "duty", "confirmed_at"],
    )
    op.create_index("ix_crm_duty_confirmation_user_id", "crm_duty_confirmation", ["user_id"])
    op.create_table(
        "crm_handover",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("leaver_id", c.BIGINT, nullable=False),
        sa.Column("scope", c.stored_text(1000)),
        sa.Column("effective_at", c.Moment()),
        sa.Column("message", c.stored_text(200)),
        sa.Column("reason", c.stored_text(200)),
        sa.Column("state", c.stored_text(40), nullable=False),
        sa.Column("split_share", c.Scaled(4)),
        sa.Column("split_until", c.Moment()),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["leaver_id"], ["crm_user.id"], name="fk_crm_handover_leaver_id", initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_handover_leaver_id_state", "crm_handover", ["leaver_id", "state"])
    op.create_index("ix_crm_handover_state_effective_at", "crm_handover", ["state", "effective_at"])
    op.create_table(
        "crm_lifecycle",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("business_line", c.stored_text(40), nullable=False),
        sa.Column("stage", c.stored_text(40), nullable=False),
        sa.Column("reason", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_lifecycle_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_lifecycle_account_id", "crm_lifecycle", ["account_id"])
    op.create_index(
        "ix_crm_lifecycle_account_id_business_line_valid_to",
        "crm_lifecycle",
        ["account_id", "business_line", "valid_to"],
    )
    op.create_table(
        "crm_membership",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("user_id", c.BIGINT, nullable=False),
        sa.Column("unit_id", c.BIGINT, nullable=False),
        sa.Column("role", c.stored_text(80), nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["crm_unit.id"],
            name="fk_crm_membership_unit_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_crm_membership_user_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_membership_unit_id", "crm_membership", ["unit_id"])
    op.create_index("ix_crm_membership_user_id", "crm_membership", ["user_id"])
    op.create_index("ix_crm_membership_user_id_valid_to", "crm_membership", ["user_id", "valid_to"])
    op.create_table(
        "crm_ownership",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("user_id", c.BIGINT, nullable=False),
        sa.Column("role", c.stored_text(40), nullable=False),
        sa.Column("scope", c.stored_text(40), nullable=False),
        sa.Column("reason", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_ownership_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_user.id"], name="fk_crm_ownership_user_id", initially="DEFERRED", deferrable=True
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_crm_ownership_account_id_valid_to_user_id", "crm_ownership", ["account_id", "valid_to", "user_id"]
    )
    op.create_index(
        "ix_crm_ownership_user_id_account_id_valid_to_valid_from",
        "crm_ownership",
        ["user_id", "account_id", "valid_to", "valid_from"],
    )
    op.create_table(
        "crm_pool_event",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("pool", c.stored_text(40), nullable=False),
        sa.Column("user_id", c.BIGINT),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("at", c.Moment(), nullable=False),
        sa.Column("rule", c.stored_text(120)),
        sa.Column("reason", c.stored_text(200)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_pool_event_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_crm_pool_event_user_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_pool_event_account_id_at", "crm_pool_event", ["account_id", "at"])
    op.create_index("ix_crm_pool_event_pool_at", "crm_pool_event", ["pool", "at"])
    op.create_index("ix_crm_pool_event_user_id_pool_at", "crm_pool_event", ["user_id", "pool", "at"])
    op.create_table(
        "crm_quality_issue",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("kind", c.stored_text(40), nullable=False),
        sa.Column("subject", c.stored_text(200)),
        sa.Column("account_id", c.BIGINT),
        sa.Column("contact_id", c.BIGINT),
        sa.Column("record_type", c.stored_text(120), nullable=False),
        sa.Column("record_id", c.BIGINT, nullable=False),
        sa.Column("field", c.stored_text(80)),
        sa.Column("found", c.Json()),
        sa.Column("proposed", c.Json()),
        sa.Column("reason", c.stored_text(500)),
        sa.Column("state", c.stored_text(40), nullable=False),
        sa.Column("proposer_id", c.BIGINT),
        sa.Column("assignee_id", c.BIGINT),
        sa.Column("decider_id", c.BIGINT),
        sa.Column("decided_at", c.Moment()),
        sa.Column("note", c.stored_text(500)),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_quality_issue_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"],
            ["crm_user.id"],
            name="fk_crm_quality_issue_assignee_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_crm_quality_issue_contact_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["decider_id"],
            ["crm_user.id"],
            name="fk_crm_quality_issue_decider_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["proposer_id"],
            ["crm_user.id"],
            name="fk_crm_quality_issue_proposer_id",
            ondelete="SET NULL",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_quality_issue_account_id", "crm_quality_issue", ["account_id"])
    op.create_index("ix_crm_quality_issue_assignee_id_state", "crm_quality_issue", ["assignee_id", "state"])
    op.create_index("ix_crm_quality_issue_contact_id", "crm_quality_issue", ["contact_id"])
    op.create_index("ix_crm_quality_issue_decider_id", "crm_quality_issue", ["decider_id"])
    op.create_index("ix_crm_quality_issue_proposer_id", "crm_quality_issue", ["proposer_id"])
    op.create_index("ix_crm_quality_issue_state_created_at", "crm_quality_issue", ["state", "created_at"])
    op.create_index("ix_crm_quality_issue_state_kind", "crm_quality_issue", ["state", "kind"])
    op.create_table(
        "crm_share",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("valid_from", c.Moment()),
        sa.Column("valid_to", c.Moment()),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("user_id", c.BIGINT),
        sa.Column("unit_id", c.BIGINT),
        sa.Column("role", c.stored_text(80), nullable=False),
        sa.Column("reason", c.stored_text(200), nullable=False),
        sa.Column("because_type", c.stored_text(80)),
        sa.Column("because_id", c.BIGINT),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_share_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["crm_unit.id"],
            name="fk_crm_share_unit_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_crm_share_user_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_share_account_id", "crm_share", ["account_id"])
    op.create_index("ix_crm_share_unit_id_account_id", "crm_share", ["unit_id", "account_id"])
    op.create_index("ix_crm_share_user_id_account_id", "crm_share", ["user_id", "account_id"])
    op.create_table(
        "crm_handover_item",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("handover_id", c.BIGINT, nullable=False),
        sa.Column("account_id", c.BIGINT, nullable=False),
        sa.Column("role", c.stored_text(40), nullable=False),
        sa.Column("scope", c.stored_text(40), nullable=False),
        sa.Column("successor_id", c.BIGINT),
        sa.Column("to_pool", sa.Boolean(), nullable=False),
        sa.Column("state", c.stored_text(40), nullable=False),
        sa.Column("note", c.stored_text(500)),
        sa.Column("answered_at", c.Moment()),
        sa.Column("split_share", c.Scaled(4)),
        sa.Column("split_until", c.Moment()),
        sa.Column("done_at", c.Moment()),
        sa.Column("settled_at", c.Moment()),
        sa.Column("moved", c.Json(), nullable=False),
        sa.Column("change_sets", c.Json(), nullable=False),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["crm_account.id"],
            name="fk_crm_handover_item_account_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["handover_id"],
            ["crm_handover.id"],
            name="fk_crm_handover_item_handover_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["successor_id"],
            ["crm_user.id"],
            name="fk_crm_handover_item_successor_id",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_handover_item_account_id_role_scope", "crm_handover_item", ["account_id", "role", "scope"])
    op.create_index("ix_crm_handover_item_handover_id_state", "crm_handover_item", ["handover_id", "state"])
    op.create_index("ix_crm_handover_item_successor_id_state", "crm_handover_item", ["successor_id", "state"])
    op.create_table(
        "crm_participant",
        sa.Column("id", c.BIGINT, autoincrement=False, nullable=False),
        sa.Column("activity_id", c.BIGINT, nullable=False),
        sa.Column("contact_id", c.BIGINT),
        sa.Column("user_id", c.BIGINT),
        sa.Column("custom", c.Json()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", c.Moment(), nullable=False),
        sa.Column("created_by", c.BIGINT),
        sa.Column("updated_at", c.Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["crm_activity.id"],
            name="fk_crm_participant_activity_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contact.id"],
            name="fk_crm_participant_contact_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["crm_user.id"],
            name="fk_crm_participant_user_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_crm_participant_activity_id", "crm_participant", ["activity_id"])
    op.create_index("ix_crm_participant_contact_id", "crm_participant", ["contact_id"])
    op.create_index("ix_crm_participant_user_id", "crm_participant", ["user_id"])


def downgrade() -> None:
    """Back to what was before revision 0001."""
    op.drop_table("crm_participant")
    op.drop_table("crm_handover_item")
    op.drop_table("crm_share")
    op.drop_table("crm_quality_issue")
    op.drop_table("crm_pool_event")
    op.drop_table("crm_ownership")
    op.drop_table("crm_membership")
    op.drop_table("crm_lifecycle")
    op.drop_table("crm_handover")
    op.drop_table("crm_duty_confirmation")
    op.drop_table("crm_contact_point")
    op.drop_table("crm_affiliation")
    op.drop_table("crm_activity")
    op.drop_table("crm_account_relation")
    op.drop_table("crm_account_address")
    op.drop_table("crm_user")
    op.drop_table("crm_unit_closure")
    op.drop_table("crm_unit")
    op.drop_table("crm_search_state")
    op.drop_table("crm_search_document")
    op.drop_table("crm_reference")
    op.drop_table("crm_redirect")
    op.drop_table("crm_record_type")
    op.drop_table("crm_match_key")
    op.drop_table("crm_last_look")
    op.drop_table("crm_journal_part")
    op.drop_table("crm_job_schedule")
    op.drop_table("crm_job")
    op.drop_table("crm_id_block")
    op.drop_table("crm_feed_position")
    op.drop_table("crm_external_ref")
    op.drop_table("crm_custom_field")
    op.drop_table("crm_contact")
    op.drop_table("crm_change_set")
    op.drop_table("crm_change")
    op.drop_table("crm_account")

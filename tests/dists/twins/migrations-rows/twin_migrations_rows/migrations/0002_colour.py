"""Colour, which nobody has said yet."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """To revision 0002."""
    with op.batch_alter_table("twin_migrations_rows__thing") as batch:
        batch.add_column(sa.Column("colour", c.stored_text(20), nullable=False))


def downgrade() -> None:
    """Back to what was before revision 0002."""
    with op.batch_alter_table("twin_migrations_rows__thing") as batch:
        batch.drop_column("colour")

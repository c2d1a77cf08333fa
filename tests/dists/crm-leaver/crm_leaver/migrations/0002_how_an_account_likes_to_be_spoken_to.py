"""How an account likes to be spoken to."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """To revision 0002."""
    op.add_column("leaver__profile", sa.Column("tone", c.stored_text(20)))
    table = sa.table("leaver__profile", sa.column("tone", c.stored_text(20)))
    op.execute(table.update().values({"tone": "plain"}))
    with op.batch_alter_table("leaver__profile") as batch_op:
        batch_op.alter_column("tone", existing_type=c.stored_text(20), nullable=False)


def downgrade() -> None:
    """Back to what was before revision 0002."""
    with op.batch_alter_table("leaver__profile") as batch_op:
        batch_op.drop_column("tone")

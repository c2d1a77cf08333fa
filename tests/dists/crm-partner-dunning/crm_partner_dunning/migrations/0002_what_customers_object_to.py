"""What customers object to."""

import sqlalchemy as sa
from alembic import op

from crm_core.fields import columns as c

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """To revision 0002."""
    op.add_column("partner_dunning__notice", sa.Column("objection", c.stored_text(200)))


def downgrade() -> None:
    """Back to what was before revision 0002."""
    with op.batch_alter_table("partner_dunning__notice") as batch_op:
        batch_op.drop_column("objection")

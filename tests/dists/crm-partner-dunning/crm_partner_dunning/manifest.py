"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="partner_dunning",
    version="0.9",
    crm_core=">=0.1,<1",
    module="crm_partner_dunning.plugin",
    requires={"partner_credit": ">=1.2"},
    migrations="migrations",
    locale="locale",
    label="Reminders of payment",
    description="Reminders of what customers owe us, in three levels.",
)

"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="partner_credit",
    version="1.2.0",
    crm_core=">=0.1,<1",
    module="crm_partner_credit.plugin",
    migrations="migrations",
    locale="locale",
    label="Credit lines",
    description="What customers may owe us; who is over the limit does not change hands.",
)

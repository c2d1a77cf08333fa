"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="key_accounts",
    version="0.1.0.dev0",
    crm_core=">=0.1,<1",
    module="crm_key_accounts.plugin",
    migrations="migrations",
    locale="locale",
    label="Key accounts",
    description="Tiers, a value score that is measured over time, and alerts with their cause.",
)

"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="industrial",
    version="0.1.0.dev0",
    crm_core=">=0.1,<1",
    module="crm_industrial.plugin",
    migrations="migrations",
    locale="locale",
    label="Industrial goods",
    description="Nurture touches and their expenses, and budgets that are not overrun.",
)

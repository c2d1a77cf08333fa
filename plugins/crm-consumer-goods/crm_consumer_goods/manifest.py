"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="consumer_goods",
    version="0.1.0.dev0",
    crm_core=">=0.1,<1",
    module="crm_consumer_goods.plugin",
    migrations="migrations",
    locale="locale",
    label="Consumer goods",
    description="Outlets, visits, store checks, and coverage planned against held.",
)

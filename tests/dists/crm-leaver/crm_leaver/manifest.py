"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="leaver",
    version="1.0",
    crm_core=">=0.1,<1",
    module="crm_leaver.plugin",
    migrations="migrations",
    label="Leaver",
    description="Fields of every kind, to be taken away and brought back.",
)

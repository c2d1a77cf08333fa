"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="stakeholders",
    version="0.1.0.dev0",
    crm_core=">=0.1,<1",
    module="crm_stakeholders.plugin",
    migrations="migrations",
    locale="locale",
    label="Stakeholders",
    description="Who decides: dated roles of people, with decision scope, influence and stance.",
)

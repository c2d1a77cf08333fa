"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_own_tables_downgrade",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_own_tables_downgrade.plugin",
    migrations="migrations",
    locale="locale",
)

"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_records_none",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_records_none.plugin",
    migrations="migrations",
    locale="locale",
)

"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_leaving_removed",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_leaving_removed.plugin",
    migrations="migrations",
    locale="locale",
)

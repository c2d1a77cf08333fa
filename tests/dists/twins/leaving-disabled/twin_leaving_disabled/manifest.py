"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_leaving_disabled",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_leaving_disabled.plugin",
    migrations="migrations",
    locale="locale",
)

"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_erasure",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_erasure.plugin",
    migrations="migrations",
    locale="locale",
)

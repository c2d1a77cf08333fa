"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_merging_given",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_merging_given.plugin",
    migrations="migrations",
    locale="locale",
)

"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_leaks_hooks_objection",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_leaks_hooks_objection.plugin",
    migrations="migrations",
    locale="locale",
)

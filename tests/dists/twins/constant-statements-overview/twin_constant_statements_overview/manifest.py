"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_constant_statements_overview",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_constant_statements_overview.plugin",
    migrations="migrations",
    locale="locale",
)

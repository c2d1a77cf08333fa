"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_names",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_names.plugin",
    locale="locale",
    commands={"grades": ("twin_names.plugin:grades", "List the grades of accounts.")},
)

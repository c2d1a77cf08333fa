"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_requirements_reference",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_requirements_reference.plugin",
    requires={"project_sales": ">=0.1.0.dev0"},
    migrations="migrations",
    locale="locale",
)

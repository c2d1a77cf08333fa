"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_requirements_distribution",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_requirements_distribution.plugin",
    requires={"stakeholders": ">=0.1.0.dev0"},
)

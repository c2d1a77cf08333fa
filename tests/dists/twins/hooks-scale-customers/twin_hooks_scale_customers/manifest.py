"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_hooks_scale_customers",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_hooks_scale_customers.plugin",
    locale="locale",
)

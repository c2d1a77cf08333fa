"""The manifest."""

from crm_core import Manifest

manifest = Manifest(name="twin_cheap_import", version="1.0", crm_core=">=0.1,<1", module="twin_cheap_import.plugin")

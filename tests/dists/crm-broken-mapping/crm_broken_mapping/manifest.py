"""The manifest."""

from crm_core.assembly import Manifest

manifest = Manifest(name="broken_mapping", version="1.0", crm_core=">=0.1,<1", module="crm_broken_mapping.hooks")

"""The manifest."""

from crm_core.assembly import Manifest

manifest = Manifest(name="duplicate", version="2.0", crm_core=">=0.1,<1", module="crm_duplicate_b.hooks")

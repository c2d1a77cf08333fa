"""The manifest."""

from crm_core.assembly import Manifest

manifest = Manifest(name="misspelt_hook", version="1.0", crm_core=">=0.1,<1", module="crm_misspelt_hook.hooks")

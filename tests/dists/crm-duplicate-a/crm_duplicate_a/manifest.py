"""The manifest."""

from crm_core.assembly import Manifest

manifest = Manifest(
    name="duplicate",
    version="1.0",
    crm_core=">=0.1,<1",
    module="crm_duplicate_a.hooks",
    commands={"twice": ("crm_duplicate_a.commands:twice", "Says it twice.")},
)

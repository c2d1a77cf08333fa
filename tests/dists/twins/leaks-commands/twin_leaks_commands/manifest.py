"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_leaks_commands",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_leaks_commands.plugin",
    migrations="migrations",
    locale="locale",
    commands={"twin_leaks_commands": ("twin_leaks_commands.commands:things", "Things.")},
)

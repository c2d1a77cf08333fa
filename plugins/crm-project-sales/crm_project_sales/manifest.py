"""What can be known of the plugin without importing it."""

from crm_core import Manifest

manifest = Manifest(
    name="project_sales",
    version="0.1.0.dev0",
    crm_core=">=0.1,<1",
    module="crm_project_sales.plugin",
    requires={"stakeholders": ">=0.1.0.dev0"},
    migrations="migrations",
    locale="locale",
    label="Project sales",
    description="Projects with a weighted go/no-go scorecard, milestones and the people who decide.",
)

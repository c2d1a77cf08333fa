"""The manifest."""

from crm_core import Manifest

manifest = Manifest(
    name="twin_round_trip",
    version="1.0",
    crm_core=">=0.1,<1",
    module="twin_round_trip.plugin",
    migrations="migrations",
    locale="locale",
)

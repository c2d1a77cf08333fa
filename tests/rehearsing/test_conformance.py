"""``crm build rehearse --conformance``: the kit itself is run, on the database that the build uses."""

from __future__ import annotations

from crm_core.testing.conformance.databases import Databases
from tests.builds.conftest import install

__all__ = ["install"]

PLUGIN = '''
"""It has a setting, and no README."""
import attrs
from crm_core.hooks import hookimpl

@attrs.frozen
class Settings:
    least: int

@hookimpl
def crm_register_settings():
    return Settings
'''


def test_each_plugin_is_verified_on_the_database_and_with_the_settings_of_the_build(
    crm, install, build_file, tmp_path, database_url, monkeypatch
):
    kinds = []
    made = Databases.new

    def noted(self, *given, **named):
        kinds.append(self.kind)
        return made(self, *given, **named)

    monkeypatch.setattr(Databases, "new", noted)
    install("settled", source=PLUGIN)
    new = tmp_path / "new.toml"
    text = build_file.read_text(encoding="utf-8").replace("[crm]", '[crm]\nplugins = ["settled"]')
    new.write_text(f"{text}[plugins.settled]\nleast = 3\n", encoding="utf-8")

    ended = crm("--build", build_file, "build", "rehearse", "--to", new, "--conformance", "--json", code=1)

    found = {each["path"]: each["words"] for each in ended.json["found"] if each["weight"] == "breaks"}
    assert {path.partition(": ")[0] for path in found} == {"settled"}
    assert any(path.startswith("settled: documentation") for path in found), found
    assert not any("settled: loads" in path for path in found), "the setting that it needs was not given"
    assert "verify the plugins" in [each["name"] for each in ended.json["steps"]]
    assert ended.json["original"]["untouched"] is True
    assert set(kinds) == {"SQLite" if database_url.startswith("sqlite") else "PostgreSQL"}

"""A build packed into one archive, and installed from it where no registry is reached."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from decimal import Decimal

import pytest

from crm_core import BuildError
from crm_core.assembly import assemble
from crm_core.assembly.lock import lock_of
from crm_core.builds.bundling import bundle, joined
from tests.builds.wheels import ROOT, built, repacked

BUILD = """
extends = "base.toml"
[crm]
name = "Packed"
plugins = ["stakeholders"]
"""
BASE = '[crm]\ncurrency = "EUR"\n[pools.east]\nwhere = \'grade == "C"\'\n'


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory):
    folder, work = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("sources")
    built(ROOT, folder, work)
    built(ROOT / "plugins" / "crm-stakeholders", folder, work)
    for name in lock_of(assemble({"crm": {"plugins": ["stakeholders"]}})).libraries:
        repacked(name, folder)
    return folder


@pytest.fixture
def build_file(tmp_path):
    (tmp_path / "base.toml").write_text(BASE, encoding="utf-8")
    (tmp_path / "crm.toml").write_text(BUILD, encoding="utf-8")
    (tmp_path / "customers.toml").write_text("[source]\nsystem = 'old'\n", encoding="utf-8")
    return tmp_path / "crm.toml"


def test_it_installs_and_runs_without_any_registry(crm, build_file, wheelhouse, tmp_path):
    archive = tmp_path / "out" / "acme.zip"
    told = crm("--build", build_file, "build", "bundle", "--wheelhouse", wheelhouse, "--to", archive,
               "--mapping", tmp_path / "customers.toml", "--json").json  # fmt: skip
    expected = {"crm.toml", "crm.lock", "crm", "install.py", "requirements.txt", "mappings/customers.toml"}
    assert expected <= told["files"].keys()
    there = tmp_path / "there"
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(there)
    # Whoever asks for a registry here reaches nobody.
    ours = ("PIP_", "PYTHON", "CRM_", "COVERAGE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": os.devnull}

    def run(*command: str) -> str:
        ended = subprocess.run(command, cwd=there, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    assert "Installed." in run(sys.executable, "install.py")
    run("sh", "crm", "migrate")
    assert "Packed" in run("sh", "crm", "plugins")
    assert "stakeholders" in run("sh", "crm", "plugins")
    assert "What is installed is what was locked: 1 plugins." in run("sh", "crm", "build", "verify")
    assert (there / "crm.db").exists()
    (there / "crm.toml").read_text(encoding="utf-8").index('currency = "EUR"')


def test_the_same_input_gives_the_same_archive(build_file, wheelhouse, tmp_path):
    build = assemble(build_file)
    one, other = bundle(build, wheelhouse, tmp_path / "one.zip"), bundle(build, wheelhouse, tmp_path / "other.zip")
    assert one.sha256 == other.sha256


def test_a_file_that_is_there_is_replaced_only_if_one_says_so(crm, build_file, wheelhouse, tmp_path):
    to = tmp_path / "acme.zip"
    to.write_text("somebody's own", encoding="utf-8")
    pack = ("--build", build_file, "build", "bundle", "--wheelhouse", wheelhouse, "--to", to)
    assert "There is a file" in crm(*pack, code=3).err
    assert to.read_text(encoding="utf-8") == "somebody's own"
    crm(*pack, "--force")
    assert zipfile.is_zipfile(to)


def test_everything_that_is_missing_is_told_at_once(build_file, wheelhouse, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for each in wheelhouse.iterdir():
        if not each.name.lower().startswith(("attrs", "pluggy", "sqlalchemy")):
            os.link(each, few / each.name)
    (few / "pluggy-0.1-py3-none-any.whl").write_bytes(b"")
    (few / "readme.whl").write_bytes(b"")
    to = tmp_path / "x.zip"
    with pytest.raises(BuildError) as caught:
        bundle(assemble(build_file), few, to, [tmp_path / "none.toml"])
    told = str(caught.value)
    assert "attrs: There is no wheel of version " in told
    assert "only of 0.1" in told
    assert "none.toml: There is no such mapping." in told
    assert "crm build lock --constraints constraints.txt" in told
    assert f"pip wheel --constraint constraints.txt --wheel-dir {few} crm-core crm-stakeholders" in told
    assert not to.exists()
    with pytest.raises(BuildError, match=r"There is no folder .*--constraint constraints\.txt --wheel-dir"):
        bundle(assemble(build_file), tmp_path / "nowhere", to)


def test_mappings_of_one_name_are_refused(build_file, wheelhouse, tmp_path):
    folders = [tmp_path / "erp", tmp_path / "old"]
    for folder in folders:
        folder.mkdir()
        (folder / "mapping.toml").write_text("[source]\n", encoding="utf-8")
    with pytest.raises(BuildError, match="Several mappings have this name") as found:
        bundle(assemble(build_file), wheelhouse, tmp_path / "acme.zip", [each / "mapping.toml" for each in folders])
    assert all(str(folder) in str(found.value) for folder in folders)


def test_a_wheel_of_other_content_is_refused(build_file, wheelhouse, tmp_path):
    changed = tmp_path / "changed"
    changed.mkdir()
    for each in wheelhouse.iterdir():
        (changed / each.name).write_bytes(each.read_bytes())
    wheel = next(changed.glob("crm_stakeholders-*.whl"))
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("crm_stakeholders/added.py", "added = True\n")
    with pytest.raises(
        BuildError, match=rf"stakeholders: {wheel.name} does not hold the files that are installed here"
    ):
        bundle(assemble(build_file), changed, tmp_path / "x.zip")


def test_a_plugin_of_the_application_itself_cannot_be_packed(wheelhouse, tmp_path):
    from crm_core.assembly import Manifest, given

    (tmp_path / "crm.toml").write_text('[crm]\nplugins = ["own"]\n', encoding="utf-8")
    own = Manifest(name="own", version="1", crm_core=">=0.1", module="tests.builds.own_plugin")
    build = assemble(tmp_path / "crm.toml", discovery=given(own))
    with pytest.raises(BuildError, match="own: No distribution brings the plugin"):
        bundle(build, wheelhouse, tmp_path / "x.zip")


def test_a_build_that_extends_others_is_joined_with_exact_numbers(tmp_path):
    (tmp_path / "base.toml").write_text("[plugins.consumer_goods]\ngood_coverage = 0.850\n", encoding="utf-8")
    leaf = 'extends = "base.toml"\n[crm]\nplugins = ["consumer_goods"]\n[plugins.consumer_goods]\npoor_coverage = 0.3\n'
    (tmp_path / "crm.toml").write_text(leaf, encoding="utf-8")
    text = joined(assemble(tmp_path / "crm.toml"))
    assert "good_coverage = 0.850" in text
    assert "extends" not in text
    (tmp_path / "joined.toml").write_text(text, encoding="utf-8")
    before, after = assemble(tmp_path / "crm.toml"), assemble(tmp_path / "joined.toml")
    assert after.settings["consumer_goods"] == before.settings["consumer_goods"]
    assert before.settings["consumer_goods"].good_coverage == Decimal("0.850")


def test_a_password_in_the_address_is_pointed_out(crm, wheelhouse, tmp_path):
    database = "postgresql://clerk:secret@localhost/crm"
    (tmp_path / "crm.toml").write_text(f'[crm]\ndatabase = "{database}"\n', encoding="utf-8")
    for name in lock_of(assemble(tmp_path / "crm.toml")).libraries:
        if not any(each.name.lower().startswith(f"{name.replace('-', '_')}-") for each in wheelhouse.iterdir()):
            repacked(name, wheelhouse)
    ended = crm("--build", tmp_path / "crm.toml", "build", "bundle", "--wheelhouse", wheelhouse,
                "--to", tmp_path / "x.zip")  # fmt: skip
    assert "has a password" in ended.err
    assert "secret" not in ended.out + ended.err

"""Assembly as a whole: strict and tolerant, and what a broken plugin does to the others: nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import attrs
import pytest
from sqlalchemy import select

from crm_core.assembly import BuildFile, Crm, CrmSection, assemble, given, kernel
from crm_core.domain.accounts import Account
from crm_core.errors import BuildError

RECORD = """
    @record("{name}.thing", access=via("account_id"))
    class Thing(Record):
        account_id: Mapped[int] = ref("account")
        name: Mapped[str] = text()

        account: Mapped[object] = parent("account_id")

    @hookimpl
    def crm_register_records():
        return [Thing]
"""


def told(build, *manifests, **options) -> list[str]:
    with pytest.raises(BuildError) as raised:
        build(*manifests, **options)
    return [str(problem) for problem in raised.value.problems]


def test_plugins_are_loaded_in_order_with_their_records_and_settings(build, write_plugin) -> None:
    base = write_plugin("load_base", RECORD.format(name="load_base"), label="Base", description="Comes first.")
    top = write_plugin(
        "load_atop",
        """
        @attrs.frozen
        class Settings:
            limit: int = 1

        @hookimpl
        def crm_register_settings():
            return Settings

        @hookimpl
        def crm_check_changes(): ...
        """,
        requires={"load_base": ">=1"},
    )

    made = build(top, base, plugins={"load_atop": {"limit": 5}})

    assert [plugin.name for plugin in made.plugins] == ["crm", "load_base", "load_atop"]
    assert made.types["load_base.thing"].plugin == "load_base"
    assert made.permissions["load_base.thing.read"] == "See: Thing"
    assert made.settings["load_atop"].limit == 5
    assert made.plugin("load_atop").settings.limit == 5
    assert made.plugin("load_base").settings is None
    assert made.plugin("nobody") is None
    assert [call.plugin for call in made.dispatcher.implementations("crm_check_changes")] == ["load_atop"]


def test_a_build_file_an_object_and_a_mapping_are_the_same(tmp_path) -> None:
    path = tmp_path / "crm.toml"
    path.write_text('[crm]\nname = "Acme"', encoding="utf-8")

    for given_ in (path, str(path), {"crm": {"name": "Acme"}}, BuildFile(crm=CrmSection(name="Acme"))):
        assert assemble(given_).report.name == "Acme"


def test_strict_tells_every_mistake_at_once_with_those_of_the_file(build, write_plugin) -> None:
    """Two broken plugins, wrong settings of a third, an unknown record: all in one error."""
    manifests = [
        write_plugin("load_bad_import", "import no_such_module"),
        write_plugin("load_bad_hook", "@hookimpl\ndef crm_on_chnages(): ..."),
        write_plugin(
            "load_bad_settings",
            """
            @attrs.frozen
            class Settings:
                minimum: int

            @hookimpl
            def crm_register_settings():
                return Settings
            """,
        ),
        write_plugin("load_follower", "", requires={"load_bad_import": ""}),
    ]

    problems = told(
        build,
        *manifests,
        crm={"time_zone": "Mars"},
        plugins={"load_bad_settings": {"minmum": 1}},
        custom_fields={"account": {"grade": {"kind": "text"}}},
        drivers={"erp": "nothing"},
    )

    assert [problem.partition(":")[0] for problem in problems] == [
        "crm.time_zone",
        "drivers.erp",
        "custom_fields.account.grade",
        "load_bad_hook.crm_on_chnages",
        "load_bad_import",
        "plugins.load_bad_settings.minimum",
        "plugins.load_bad_settings.minmum",
    ]


def test_the_way_out_is_told_where_there_is_one(build, write_plugin) -> None:
    one, needs = (
        write_plugin("load_lost", "raise RuntimeError"),
        write_plugin("load_lost_too", "", requires={"load_lost": ""}),
    )
    two = write_plugin("load_lost_third", "raise RuntimeError")
    with pytest.raises(BuildError) as raised:
        build(one, needs, two)
    assert "'crm --without load_lost --without load_lost_third ...' or 'crm --tolerant ...'" in str(raised.value)
    with pytest.raises(BuildError) as raised:
        build(one, crm={"currency": "x"})
    assert "--tolerant" not in str(raised.value), "mistakes of the file itself are refused all the same"


def test_tolerant_leaves_out_the_broken_and_whatever_requires_it(build, write_plugin) -> None:
    made = build(
        write_plugin("load_broken", "raise RuntimeError('half installed')"),
        write_plugin("load_needs_it", "", requires={"load_broken": ""}),
        write_plugin("load_needs_that", "", requires={"load_needs_it": ""}),
        write_plugin("load_sound", ""),
        strict=False,
    )

    assert [plugin.name for plugin in made.plugins] == ["crm", "load_sound"]
    left = {each.plugin: each for each in made.report.left_out}
    assert str(left["load_broken"].reasons[0]) == (
        "load_broken: fake_load_broken cannot be imported: RuntimeError: half installed. "
        "Mend the plugin, or install what it needs."
    )
    assert left["load_broken"].because is None
    assert left["load_needs_it"].because == "load_broken"
    assert left["load_needs_that"].because == "load_needs_it"
    assert not made.report.strict


def test_the_file_may_say_tolerant_and_the_caller_outranks_it(build, write_plugin) -> None:
    manifest = write_plugin("load_outranked", "raise RuntimeError")

    assert build(manifest, crm={"strict": False}).report.left_out
    with pytest.raises(BuildError):
        build(manifest, crm={"strict": False}, strict=True)


def test_mistakes_of_the_file_are_told_even_in_tolerant_mode(build) -> None:
    assert told(build, strict=False, crm={"currency": "x"})


def test_a_broken_declaration_names_the_field(build, write_plugin) -> None:
    source = """
        @record("load_declaration.thing", access=public())
        class Thing(Record):
            name: Mapped[int] = text()
    """

    (problem,) = told(build, write_plugin("load_declaration", source))

    assert "fake_load_declaration cannot be imported: fake_load_declaration.Thing.name is annotated int" in problem
    assert "Write Mapped[str]" in problem


def test_failing_registration_leaves_the_plugin_out(build, write_plugin) -> None:
    source = """
        @hookimpl
        def crm_register_records():
            raise RuntimeError("no records today")
    """

    (left,) = build(write_plugin("load_registration", source), strict=False).report.left_out

    assert "crm_register_records failed: RuntimeError: no records today" in str(left.reasons[0])


def test_a_plugin_whose_mapping_is_broken_is_left_out_and_the_kernel_works(install, database_url) -> None:
    install("crm-broken-mapping")
    config = {"crm": {"plugins": ["broken_mapping"], "strict": False}}

    for _ in range(2):  # SQLAlchemy speaks otherwise the second time
        with Crm.open(config, database=database_url, check=False) as crm:
            (left,) = crm.report.left_out
            assert left.plugin == "broken_mapping"
            assert "Its records cannot be mapped" in str(left.reasons[0])
            assert "ThereIsNoSuchClass" in str(left.reasons[0])
            assert "broken_mapping.crack" not in crm.types
    with Crm.open(config, database=database_url, check=False) as crm:
        crm.store.create_all()
        with crm.system_session("test") as session:
            session.add_one(Account(name="Acme"))
        with crm.system_session("test", read_only=True) as session:
            assert session.scalars(select(Account.name)).all() == ["Acme"]
    with pytest.raises(BuildError, match="Its records cannot be mapped"):
        assemble(config, strict=True)


def test_three_mistakes_in_hooks_are_told_at_once(install) -> None:
    install("crm-misspelt-hook")

    with pytest.raises(BuildError) as raised:
        assemble({"crm": {"plugins": ["misspelt_hook"]}})

    assert [str(problem) for problem in raised.value.problems] == [
        "misspelt_hook.crm_check_changes: The parameter 'batch' of crm_check_changes has a default and so would never "
        "be filled. Remove the default: crm_check_changes(session, system, batch).",
        "misspelt_hook.crm_gather_overview: crm_gather_overview has no parameter 'account_ids'. "
        "Its parameters are those of crm_gather_overview(session, accounts).",
        "misspelt_hook.crm_on_chnages: There is no hook 'crm_on_chnages'. Did you mean crm_on_changes?",
    ]


@pytest.mark.parametrize("source", ["@hookimpl\ndef crm_on_chnages(): ...", "import no_such_module"])
def test_of_a_plugin_that_cannot_be_looked_into_nothing_is_said_about_its_settings(build, write_plugin, source) -> None:
    settings = "@attrs.frozen\nclass Settings:\n    most: int = 3\n@hookimpl\ndef crm_register_settings():\n"
    plugin = write_plugin("load_silent", f"{settings}    return Settings\n{source}\n")

    with pytest.raises(BuildError) as raised:
        build(plugin, plugins={"load_silent": {"most": 5}})

    (problem,) = raised.value.problems
    assert problem.path in ("load_silent", "load_silent.crm_on_chnages")


# References


def test_references_lead_only_to_what_is_required(build, write_plugin) -> None:
    target = write_plugin("load_target", RECORD.format(name="load_target"))
    source = write_plugin(
        "load_zsource",
        """
        @record("load_zsource.link", access=public())
        class Link(Record):
            thing_id: Mapped[int | None] = ref("load_target.thing", default=None)
            other_id: Mapped[int | None] = ref("load_taget.thing", default=None)
            user_id: Mapped[int] = ref("user", on_delete="restrict")
            secret: Mapped[str | None] = text(default=None, restricted="load_zsource.link.peep")

        @extends("load_target.thing", "load_zsource.more")
        class More(Record):
            word: Mapped[str | None] = text(default=None)

        @hookimpl
        def crm_register_records():
            return [Link, More]
        """,
    )

    problems = told(build, target, source)

    assert [problem.partition(".")[0] for problem in problems] == ["load_zsource"] * 5
    assert "It refers to 'load_target.thing' of the plugin load_target, which is not required." in problems[0]
    assert (
        "It refers to 'load_taget.thing', which no plugin before it declares. Did you mean load_target.thing?"
        in (problems[1])
    )
    assert "It would block deletes of 'user', which belongs to another plugin." in problems[2]
    assert "It needs the permission 'load_zsource.link.peep' to be read, which nobody registers." in problems[3]
    assert problems[4].startswith("load_zsource.more.id: It refers to 'load_target.thing'")


def test_a_required_plugin_can_be_referred_to_and_extended(build, write_plugin) -> None:
    target = write_plugin("load_reached", RECORD.format(name="load_reached"))
    source = """
        @extends("load_reached.thing", "load_reaching.more")
        class More(Record):
            secret: Mapped[str | None] = text(default=None, restricted="load_reaching.more.peep")

        @hookimpl
        def crm_register_records():
            return [More]

        @hookimpl
        def crm_register_permissions():
            return {"load_reaching.more.peep": "Peep"}
    """

    made = build(target, write_plugin("load_reaching", source, requires={"load_reached": ""}))

    (key,) = made.types["load_reaching.more"].table.foreign_key_constraints
    assert key.referred_table.name == "load_reached__thing"


# Settings and sections


def test_a_section_for_a_plugin_without_settings_is_refused(build, write_plugin) -> None:
    assert told(build, write_plugin("load_plain", ""), plugins={"load_plain": {"a": 1}}) == [
        "plugins.load_plain: The plugin has no settings. Remove the section."
    ]


def test_a_section_of_no_plugin_suggests_the_one_that_was_meant(build, write_plugin) -> None:
    assert told(build, write_plugin("load_known", ""), plugins={"load_knwon": {}}) == [
        "plugins.load_knwon: The plugin is not in the build. Did you mean load_known?"
    ]


def test_settings_of_a_plugin_that_is_switched_off_may_stay(write_plugin) -> None:
    off = write_plugin("load_off", "")

    report = assemble({"plugins": {"load_off": {"a": 1}}}, discovery=given(off)).report

    assert "plugins.load_off: The plugin is not in the build." in str(report.warnings[0])


def test_settings_of_a_plugin_that_is_left_out_are_not_told_twice(build, write_plugin) -> None:
    report = build(write_plugin("load_gone", "1 / 0"), strict=False, plugins={"load_gone": {"a": 1}}).report

    assert report.warnings == ()


def test_the_kernel_is_not_listed(build) -> None:
    assert told(build, crm={"plugins": ["crm"]}) == ["crm.plugins: The kernel itself is always loaded. Remove 'crm'."]


# Folders


def test_folders_are_found_beside_the_module(build, tmp_path, write_plugin) -> None:
    package = tmp_path / "plugins" / "fake_folders"
    (package / "migrations").mkdir(parents=True)
    (package / "locale").mkdir()
    (package / "__init__.py").touch()
    manifest = write_plugin(
        "load_folders",
        RECORD.format(name="load_folders"),
        module="fake_folders.hooks",
        migrations="migrations",
        locale="locale",
    )

    made = build(manifest)

    plugin = made.plugin("load_folders")
    assert plugin.migrations == package / "migrations"
    assert plugin.locale == package / "locale"
    assert made.report.warnings == ()
    source = made.migration_sources()[1]
    assert (source.plugin, source.location) == ("load_folders", package / "migrations")
    assert [table.name for table in source.tables] == ["load_folders__thing"]
    assert [each.plugin for each in made.migration_sources()] == ["crm", "load_folders"]


@pytest.mark.parametrize("module", ["fake_missing_folder", "fake_missing_folder_package.hooks"])
def test_a_folder_that_is_not_there_is_refused(build, tmp_path, write_plugin, module: str) -> None:
    if "." in module:
        package = tmp_path / "plugins" / "fake_missing_folder_package"
        package.mkdir()
        (package / "__init__.py").touch()
    (problem,) = told(build, write_plugin("missing_folder", "", module=module, migrations="migrations"))

    assert "The manifest names migrations='migrations', but" in problem


def test_a_module_whose_package_is_missing_is_one_mistake(build, write_plugin) -> None:
    manifest = attrs.evolve(write_plugin("load_nowhere", ""), module="fake_nowhere.deep.hooks")

    (problem,) = told(build, manifest)

    assert "ModuleNotFoundError: No module named 'fake_nowhere'" in problem


def test_records_without_migrations_are_a_warning(build, write_plugin) -> None:
    (warning,) = build(write_plugin("load_unmigrated", RECORD.format(name="load_unmigrated"))).report.warnings

    assert "It has records but no migrations" in str(warning)


def test_two_plugins_do_not_share_a_module(build, write_plugin) -> None:
    one = write_plugin("load_one", "", module="fake_shared")
    two = attrs.evolve(one, name="load_two")

    assert told(build, one, two) == [
        "load_two: Its module fake_shared is that of load_one, too. Give each plugin a module of its own."
    ]


# Two builds


def test_two_builds_in_one_process_do_not_see_each_other(build, write_plugin) -> None:
    left = write_plugin(
        "load_left", RECORD.format(name="load_left") + "\n    @hookimpl\n    def crm_on_changes(): ...\n"
    )
    right = write_plugin("load_right", RECORD.format(name="load_right"))

    one, two, none = build(left), build(right), build()

    assert "load_left.thing" in one.types
    assert "load_left.thing" not in two.types
    assert "load_right.thing" not in one.types
    assert "load_left.thing.read" not in two.permissions
    assert one.dispatcher.hears_changes()
    assert not two.dispatcher.hears_changes()
    assert {name for name in none.types if "." in name} == set()
    again = build(left)
    assert again.types["load_left.thing"] is one.types["load_left.thing"]
    assert again.dispatcher is not one.dispatcher


def test_assembly_reads_nothing_of_the_environment(tmp_path) -> None:
    code = (
        "import os\n"
        "class Watched(type(os.environ)):\n"
        "    def __getitem__(self, key):\n"
        "        if key.startswith('CRM'): raise SystemExit(f'read {key}')\n"
        "        return super().__getitem__(key)\n"
        "os.environ.__class__ = Watched\n"
        "from crm_core.assembly import assemble\n"
        "print(len(assemble({}).types))\n"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert int(run.stdout) > 10


def test_the_kernel_runs_from_a_folder_of_sources(monkeypatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(kernel, "version", missing)

    assert kernel._distribution() == (None, None)


def test_files_about_other_systems_are_known_with_the_plugin_that_brings_them(build, write_plugin, tmp_path) -> None:
    file = tmp_path / "krm.toml"
    file.write_text('system = "krm"', encoding="utf-8")
    source = """
        @hookimpl
        def crm_register_foreign_names():
            from pathlib import Path
            return [Path({path!r})]
    """
    brings = write_plugin("load_foreign", source.format(path=str(file)))

    assert build(brings).foreign_names == (("load_foreign", file),)

    misses = write_plugin("load_no_file", source.format(path=str(tmp_path / "gone.toml")))

    (problem,) = told(build, misses)
    assert "load_no_file.crm_register_foreign_names: There is no file" in problem


def test_a_hook_for_records_that_do_not_exist_is_told_and_one_for_those_of_a_plugin_that_is_absent_is_not(
    build, write_plugin
) -> None:
    source = """
    @hookimpl
    @only_for({records})
    def crm_check_changes(batch): ...
    """
    loads = write_plugin("load_only_for", source.format(records='"account", "load_absent.thing"'))
    misspelt = write_plugin("load_misspelt_record", source.format(records='"acount"'))

    assert [plugin.name for plugin in build(loads).plugins] == ["crm", "load_only_for"]
    assert told(build, misspelt) == [
        "load_misspelt_record.crm_check_changes: crm_check_changes is only for 'acount', which is no record type. "
        "Did you mean account?"
    ]


def test_a_mark_that_cannot_be_read_is_told_as_that_and_not_as_a_failed_import(build, write_plugin) -> None:
    source = """
    {mark}
    def crm_check_changes(batch): ...
    """
    marks = ('@only_for("account", operations="update")', "@only_for", "@only_for(dict)")
    plugins = [
        write_plugin(f"load_mark_{at}", source.format(mark=f"@hookimpl\n    {mark}")) for at, mark in enumerate(marks)
    ]

    text, bare, no_record = told(build, *plugins)

    assert "Write a tuple: operations=('update',)." in text
    assert "stands without parentheses" in bare
    assert "only for dict, which is no record" in no_record

"""The records of a plugin as files that ``crm import`` reads, for another CRM or a spreadsheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.exchange import run_export
from crm_core.exchange.own_files import table_of_exports

if TYPE_CHECKING:
    from crm_core.assembly.crm import Crm

__all__ = ["MAPPING", "write_records"]

MAPPING = "import.toml"
FOLDER = "records"


def write_records(crm: Crm, plugin: str, folder: Path) -> tuple[dict[str, str], str]:
    """Write each record type to a file, all dates and custom fields included, and the mapping that reads them.

    Ids become keys of the source system ``crm``, also of the records of others that are referred to: whoever imports
    has imported those before, from exports of this CRM.
    """
    import tomlkit

    (folder / FOLDER).mkdir(mode=0o700)
    files = {
        name: f"{FOLDER}/{name}.jsonl" for name, each in sorted(crm.types.items()) if each.plugin == plugin
    }  # fmt: skip
    with crm.system_session("export", read_only=True) as session:
        for name, file in files.items():
            run_export(session, name, None, folder / file, all_dates=True)
    table = table_of_exports(crm.types, files, custom=crm.build.policy.custom)
    (folder / MAPPING).write_text(tomlkit.dumps(table), encoding="utf-8")
    return files, MAPPING

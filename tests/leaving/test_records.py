"""The record files of an export are read in whole by ``crm import``, into another CRM on another kind of database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from crm_core.domain.external import ExternalRef
from crm_core.exchange import mapping_of_exports, run_export, run_import
from crm_core.leaving import export

from .leaver import TYPES, Company, open_crm, rows


def test_every_field_arrives_in_another_crm(company: Company, tmp_path: Path) -> None:
    done = export(company.crm, "leaver", tmp_path / "out")
    others = {name: f"{name}.jsonl" for name in ("account", "contact")}
    with company.crm.system_session("test", read_only=True) as session:
        for name, file in others.items():
            run_export(session, name, None, tmp_path / "out" / file)
    with open_crm(f"sqlite:///{tmp_path / 'other.db'}", check=False) as crm:
        crm.migrate()
        run_import(crm, mapping_of_exports(crm.types, others, custom=crm.build.policy.custom), tmp_path / "out")
        report = run_import(crm, tmp_path / "out" / str(done.mapping), tmp_path / "out")
        assert (report.created, report.rejected) == (7, 0)
        with crm.system_session("test", read_only=True) as session:
            keys = select(ExternalRef.record_id, ExternalRef.key).where(ExternalRef.system == "crm")
            was = {id_: int(key) for id_, key in session.execute(keys)}
        assert translated(crm, rows(crm), was) == translated(company.crm, rows(company.crm), {})


def translated(crm: Any, found: dict[str, Any], was: dict[int, int]) -> dict[str, Any]:
    """Rows by their former ids, with references to former ids, and without what belongs to the database."""
    result: dict[str, Any] = {}
    for name in TYPES:
        refs = {field.name for field in crm.types[name].refs}
        result[name] = {
            was.get(id_, id_): {
                field: was.get(value, value) if field in refs else value
                for field, value in values.items()
                if field not in ("version", "created_at", "created_by")
            }
            for id_, values in found[name].items()
        }
    return result

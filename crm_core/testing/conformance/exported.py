"""What an export holds: its text, and the ids in it."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crm_core.exchange import run_export

if TYPE_CHECKING:
    from crm_core.records import RecordType
    from crm_core.store.session import CrmSession

__all__ = ["exported"]


def exported(session: CrmSession, record_type: RecordType) -> Iterator[tuple[str, str, list[int]]]:
    """The way of writing, the whole text, and the ids of the records in it, for each format."""
    import msgspec

    with tempfile.TemporaryDirectory(prefix="crm-export-") as folder:
        for suffix in ("csv", "jsonl"):
            path = Path(folder) / f"records.{suffix}"
            run_export(session, record_type.name, None, path, all_dates=True)
            text = path.read_text(encoding="utf-8-sig")
            if suffix == "csv":
                ids = [int(row["id"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
            else:
                ids = [msgspec.json.decode(line)["id"] for line in text.split("\n") if line]
            yield f"an export as {suffix.upper()}", text, ids

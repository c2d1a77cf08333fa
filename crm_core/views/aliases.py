"""Second looks at a record type within one statement, made once: SQLAlchemy copies every column for each."""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy.orm import aliased

__all__ = ["another"]


@functools.cache
def another(record: Any, number: int = 1) -> Any:
    """An alias of a record class, the same at each call; another ``number`` gives another one."""
    del number  # what tells one from the other
    return aliased(record)

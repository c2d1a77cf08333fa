"""Why a transform cannot use a value, as a sentence that can be translated."""

from __future__ import annotations

from typing import Any

__all__ = ["Refusal"]


class Refusal(ValueError):
    """A value that cannot be used. ``template`` is a whole sentence for ``values``; as text it has no full stop."""

    def __init__(self, template: str, **values: Any) -> None:
        super().__init__(template.format(**values).rstrip("."))
        self.template = template
        self.values = values

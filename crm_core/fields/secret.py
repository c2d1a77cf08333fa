"""A text that nobody may read by accident: the password or the token of another system, as a setting of a plugin."""

from __future__ import annotations

import os
from typing import NoReturn

from crm_core.errors import BuildError

__all__ = ["HIDDEN", "Secret"]

HIDDEN = "***"
"""What stands in place of a secret."""


class Secret:
    """A text that shows itself only to whoever calls :meth:`reveal`.

    Printed, logged, compared as a description or written as JSON it is ``***``. In a build file it is a text, or better
    ``{ env = "NAME" }``, the environment variable that holds it: then neither the file nor a backup or bundle of it
    holds the secret. Two secrets are equal when they say the same.
    """

    __slots__ = ("_env", "_text")

    def __init__(self, text: str = "", *, env: str = "") -> None:
        self._text = text
        self._env = env

    @property
    def env(self) -> str:
        """The environment variable that holds it; empty where the build file does."""
        return self._env

    def reveal(self) -> str:
        """The text itself. Raises :class:`~crm_core.errors.BuildError` when its environment variable is not set."""
        if not self._env:
            return self._text
        found = os.environ.get(self._env)
        if found is None:
            raise BuildError(
                "The environment variable {name}, which holds a secret, is not set.",
                mend="Set it for the process that needs it.",
                name=self._env,
            )
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._text, self._env) == (other._text, other._env)

    def __hash__(self) -> int:
        return hash((self._text, self._env))

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __reduce__(self) -> NoReturn:
        # A pickle would be a way out that nobody sees.
        raise TypeError(f"{type(self).__name__} cannot be pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: object) -> Secret:
        return self

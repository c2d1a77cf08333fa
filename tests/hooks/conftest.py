from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from crm_core.hooks import Dispatcher, hookimpl

Plugin = Callable[..., tuple[str, ModuleType]]


@pytest.fixture
def plugin() -> Plugin:
    """Makes a plugin of functions; ``plugin("a", f)`` is named ``a`` and implements the hook that ``f`` is called."""

    def make(name: str, *functions: Callable[..., Any], marked: bool = True) -> tuple[str, ModuleType]:
        module = ModuleType(f"fake_{name}")
        for function in functions:
            setattr(module, function.__name__, hookimpl(function) if marked else function)
        return name, module

    return make


class FakeSession:
    """As much of a session as the dispatcher touches."""

    read_only = False

    def __init__(self) -> None:
        self.info: dict[str, Any] = {}
        self.calls: list[str] = []
        self.refuse_to_flush = False

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.calls.append("rolled back")
            raise
        self.calls.append("released")

    def begin_nested(self) -> Any:
        self.calls.append("savepoint")
        return self._savepoint()

    def get_transaction(self) -> None:
        return None

    def flush(self) -> None:
        if self.refuse_to_flush:
            raise ValueError("the database refuses")

    def as_system(self, reason: str) -> FakeSession:
        self.calls.append(f"system for {reason}")
        system = FakeSession()
        system.calls = self.calls
        return system

    def close(self) -> None:
        self.calls.append("closed")


@pytest.fixture
def session() -> FakeSession:
    return FakeSession()


@pytest.fixture
def dispatcher() -> Callable[..., Dispatcher]:
    return lambda *plugins: Dispatcher(plugins)

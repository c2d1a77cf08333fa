"""Imports a plugin in a process of its own and writes down what that did; run as a program, not imported.

Arguments: a file with what to import as JSON, and a file for the answer. Nothing of crm-core is imported before the
clock runs, so this file needs none of it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EFFECTS = {
    "subprocess.Popen": "starts a program",
    "os.system": "starts a program",
    "os.exec": "starts a program",
    "os.posix_spawn": "starts a program",
    "os.fork": "starts a process",
    "sqlite3.connect": "opens a database",
    "os.mkdir": "changes files",
    "os.remove": "changes files",
    "os.rename": "changes files",
    "os.rmdir": "changes files",
    "os.link": "changes files",
    "os.symlink": "changes files",
    "os.truncate": "changes files",
    "os.chmod": "changes files",
    "os.putenv": "changes the environment",
    "os.unsetenv": "changes the environment",
    "os.chdir": "changes the working directory",
}


class Watch:
    """Writes down effects that the plugin's own code causes, directly or through a function that it calls."""

    def __init__(self, folder: str) -> None:
        self.folder = folder.rstrip(os.sep) + os.sep
        self.effects: list[dict[str, Any]] = []
        self._busy = False

    def saw(self, effect: str, detail: str = "") -> None:
        """An effect, if it is the plugin's: between it and the plugin's code no other module was being imported."""
        if self._busy:
            return
        self._busy = True
        try:
            place = self._place(sys._getframe(2))
            if place is not None:
                each = {"effect": effect, "detail": detail, "file": place[0], "line": place[1]}
                if each not in self.effects:
                    self.effects.append(each)
        finally:
            self._busy = False

    def _place(self, frame: FrameType | None) -> tuple[str, int] | None:
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(self.folder):
                return name, frame.f_lineno
            if "importlib._bootstrap" in name:
                return None  # a module that the plugin imports does it for itself
            frame = frame.f_back
        return None

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What the interpreter says about itself."""
        if event == "open":
            path, mode, flags = (*arguments, None, None)[:3]
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITING):
                self.saw("opens a file for writing", str(path))
        elif event.startswith("socket."):
            self.saw("opens a socket", event)
        elif event in _EFFECTS:
            self.saw(_EFFECTS[event], str(arguments[0]) if arguments and isinstance(arguments[0], str) else "")


class Written:
    """Stands for an output, and writes down that something was printed."""

    def __init__(self, watch: Watch, stream: Any) -> None:
        self._watch, self._stream = watch, stream

    def write(self, text: str) -> int:
        """Print."""
        if text.strip():
            self._watch.saw("prints", text.strip()[:40])
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _watch_environment(watch: Watch) -> None:
    kind: Any = type(os.environ)
    getting, walking = kind.__getitem__, kind.__iter__

    def get(self: Any, key: Any) -> Any:
        watch.saw("reads the environment", str(key))
        return getting(self, key)

    def walk(self: Any) -> Any:
        watch.saw("reads the environment")
        return walking(self)

    kind.__getitem__, kind.__iter__ = get, walk


def _watch_threads(watch: Watch) -> None:
    import threading  # not every version of Python says to an audit hook that a thread starts

    kind: Any = threading.Thread
    starting = kind.start

    def start(self: Any) -> None:
        watch.saw("starts a thread")
        starting(self)

    kind.start = start


def _watch_engines(watch: Watch) -> None:
    engine: Any = importlib.import_module("sqlalchemy.engine.base").Engine
    making = engine.__init__

    def make(self: Any, *arguments: Any, **options: Any) -> None:
        watch.saw("makes an engine")
        making(self, *arguments, **options)

    engine.__init__ = make


def _timed(modules: list[str]) -> float:
    began = time.process_time()
    for module in modules:
        importlib.import_module(module)
    return time.process_time() - began


def look(given: dict[str, Any]) -> dict[str, Any]:
    """Import manifest and plugin, and tell how long it took and what else happened."""
    sys.path[:] = given["path"]
    watch = Watch(given["folder"])
    manifest_of_kernel = _timed(["crm_core.assembly.manifest", "crm_core"])
    importlib.import_module("crm_core").Manifest  # noqa: B018 - loads what a manifest needs
    _watch_environment(watch)
    _watch_threads(watch)
    sys.addaudithook(watch.audit)
    sys.stdout = Written(watch, sys.stdout)
    sys.stderr = Written(watch, sys.stderr)
    before = set(sys.modules)
    manifest = _timed([given["manifest"]])
    by_manifest = sorted(set(sys.modules) - before)
    began = time.process_time()
    kernel = importlib.import_module("crm_core")
    for name in kernel.__all__:
        getattr(kernel, name)
    whole_kernel = manifest_of_kernel + time.process_time() - began
    _timed(given["requirements"])
    _watch_engines(watch)
    logging: Any = importlib.import_module("logging")
    handlers, level = list(logging.root.handlers), logging.root.level
    module = _timed([given["module"]])
    configured = logging.root.handlers != handlers or logging.root.level != level
    return {
        "kernel": whole_kernel,
        "manifest": manifest,
        "module": module,
        "by_manifest": by_manifest,
        "effects": watch.effects,
        "logging": configured,
    }


if __name__ == "__main__":
    answer = look(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")

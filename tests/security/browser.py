"""A browser without a window: shows pages side by side, and tells what became of them."""

from __future__ import annotations

import contextlib
import html
import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--virtual-time-budget=20000", "--dump-dom",
)  # fmt: skip

# Looks into each frame when all are loaded: moves the pointer over everything and gives it the focus, so that handlers
# of events would run, and writes down what is there.
HARNESS = """<!DOCTYPE html><html><head><meta charset="utf-8"><title>harness</title></head><body>
%(frames)s
<pre id="told"></pre>
<script>
window.onload = () => setTimeout(() => {
  const told = {};
  for (const frame of document.querySelectorAll('iframe')) {
    const page = frame.contentDocument, all = [...page.querySelectorAll('*')];
    for (const each of all) {
      for (const kind of ['mouseover', 'pointerenter', 'focus', 'error', 'load', 'toggle'])
        each.dispatchEvent(new Event(kind));
    }
    const attributes = all.flatMap(each => [...each.attributes].map(one => [each.localName, one.name, one.value]));
    told[frame.name] = {
      title: page.title, names: [...new Set(all.map(each => each.localName))],
      handlers: attributes.filter(one => one[1].startsWith('on')),
      links: attributes.filter(one => ['href', 'src', 'xlink:href', 'action', 'data', 'srcset'].includes(one[1])),
      styles: attributes.filter(one => one[1] === 'style').map(one => one[2]),
      text: page.documentElement.textContent,
    };
  }
  setTimeout(() => { document.getElementById('told').textContent = JSON.stringify(told); }, 500);
}, 500);
</script></body></html>"""
ADDRESS = "/ran"
"""What a script that runs asks the server for."""


@attrs.frozen
class Shown:
    """What a browser made of a page; ``links`` are triples of element, attribute and value."""

    title: str
    names: list[str]
    handlers: list[list[str]]
    links: list[list[str]]
    styles: list[str]
    text: str


@attrs.frozen
class Look:
    """All pages, and what was asked of the server besides them."""

    pages: Mapping[str, Shown]
    asked: tuple[str, ...]


def program() -> str | None:
    """The browser that there is."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def look(browser: str, pages: Mapping[str, str]) -> Look:
    """Show pages (by name, which ends in .html or .svg) in one browser, each in a frame of its own."""
    asked: list[str] = []
    frames = "\n".join(f'<iframe name="{name}" src="/{name}"></iframe>' for name in pages)
    files = {f"/{name}": text for name, text in pages.items()} | {"/": HARNESS % {"frames": frames}}
    with _serving(files, asked) as port, tempfile.TemporaryDirectory() as profile:
        ended = subprocess.run(
            [browser, *OPTIONS, f"--user-data-dir={profile}", f"http://127.0.0.1:{port}/"],
            capture_output=True, timeout=200, check=False,
        )  # fmt: skip
    dumped = ended.stdout.decode("utf-8", "replace")
    found = re.search(r'<pre id="told">(.+?)</pre>', dumped, re.DOTALL)
    assert found, (ended.returncode, dumped[-2000:], ended.stderr[-2000:])
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    assert told.keys() == pages.keys()
    return Look({name: Shown(**each) for name, each in told.items()}, tuple(asked))


@contextlib.contextmanager
def _serving(files: Mapping[str, str], asked: list[str]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = files.get(self.path)
            if text is None:
                if self.path != "/favicon.ico":
                    asked.append(self.path)
                self.send_error(404)
                return
            content = text.encode("utf-8", "surrogatepass")
            self.send_response(200)
            self.send_header("Content-Type", "image/svg+xml" if self.path.endswith(".svg") else "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """The test tells what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

"""A server of files by HTTP on this machine, with ranges of bytes; it counts, and fails as it is told to."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass
class RangeServer:
    """What is served, and what came of it.

    Attributes:
        folder: the files; a URL's path is one below it.
        ranges: answer ranges of bytes; else whole files alone.
        status: of every answer, where it is not None.
        breaks_after: of each file's bytes, before the connection breaks off; None never.
        silent: answer nothing.
        num_bytes: of files that were sent.
        requests: method and path of each.
    """

    folder: Path
    ranges: bool = True
    status: int | None = None
    breaks_after: int | None = None
    silent: threading.Event = field(default_factory=threading.Event)
    num_bytes: int = 0
    requests: list[str] = field(default_factory=list)
    address: str = ""

    def url(self, name: str) -> str:
        """The URL of a file."""
        return f"{self.address}/{name}"


@contextmanager
def range_server(folder: Path, **options: Any) -> Iterator[RangeServer]:
    """A server of a folder, on the loopback."""
    state = RangeServer(folder, **options)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            name = unquote(self.path.partition("?")[0]).lstrip("/")
            state.requests.append(f"{self.command} {name} {self.headers.get('Range', '')}".strip())
            if state.silent.is_set():
                state.silent.wait(5)
                threading.Event().wait(3)
                self.close_connection = True
                return
            file = state.folder / name
            if state.status is not None or not file.is_file():
                self._empty(state.status or 404)
                return
            content = file.read_bytes()
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start, end = 0, len(content)
            if found and state.ranges:
                start, end = int(found[1]), min(int(found[2] or len(content)) + 1, len(content))
            self.send_response(206 if found and state.ranges else 200)
            self.send_header("Content-Length", str(end - start))
            self.send_header("ETag", f'"{file.stat().st_mtime_ns:x}-{len(content):x}"')
            if state.ranges:
                self.send_header("Accept-Ranges", "bytes")
            if found and state.ranges:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            self.end_headers()
            if with_body:
                self._send(content, start, end)

        def _send(self, content: bytes, start: int, end: int) -> None:
            most = len(content) if state.breaks_after is None else state.breaks_after
            sent = content[start : min(end, most)]
            state.num_bytes += len(sent)
            try:
                self.wfile.write(sent)
            except OSError:  # whoever asked has gone
                self.close_connection = True
            if len(sent) < end - start:
                self.close_connection = True

        def _empty(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

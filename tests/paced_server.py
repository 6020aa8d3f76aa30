"""A server on this machine that sends a file by HTTP at some pace, as a camera would, and breaks off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PIECE = 188 * 7  # bytes


@contextmanager
def paced_server(
    file: Path, seconds: float, breaks: tuple[float, ...] = (), *, loops: int = 1
) -> Iterator[str]:
    """Its URL. The file takes so many seconds; of the first connections each breaks off after that share of
    it, and later ones send it whole, ``loops`` times. Then nothing can be had any more.
    """
    content = file.read_bytes()
    left, stop = list(breaks), threading.Event()
    state = {"is_over": False}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            if state["is_over"]:
                self.send_error(404)
                return
            share = left.pop(0) if left else 1.0
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            with suppress(OSError):
                for _ in range(1 if share < 1 else loops):
                    self._send(content[: int(share * len(content))])
                state["is_over"] = share == 1

        def _send(self, some: bytes) -> None:
            began, a_byte = time.monotonic(), seconds / len(content)
            for start in range(0, len(some), _PIECE):
                stop.wait(max(0.0, began + start * a_byte - time.monotonic()))
                if stop.is_set():
                    return
                self.wfile.write(some[start : start + _PIECE])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/live.ts"
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join()

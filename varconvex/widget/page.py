"""The canvas on a page that this machine serves to itself.

The server listens on 127.0.0.1 at a port of the system's choice. Only addresses with a random token, and requests whose
Host is this very server, are answered; everything else gets 403.
"""

import hmac
import queue
import secrets
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..result import Segmentation
from ..session import Session
from . import part
from .exchange import Exchange
from .messages import LARGEST_MESSAGE

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>varconvex annotate</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="canvas.css">
</head>
<body class="vc-page"><div id="canvas"></div><script type="module" src="canvas.js?page"></script></body>
</html>
"""
_FILES = {
    "": ("text/html; charset=utf-8", lambda: _PAGE),
    "canvas.css": ("text/css; charset=utf-8", lambda: part("canvas.css")),
    "canvas.js": ("text/javascript; charset=utf-8", lambda: part("canvas.js")),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_MOST_STREAMS, _MOST_WAITING = 16, 64
_PULSE = 5.0
"""Seconds without a message after which an empty one is sent, so that closed tabs are noticed."""


class Page:
    """The page of one session, served until `close`.

    Parameters
    ----------
    session : Session
        Where strokes go.
    on_change, on_action : callable, optional
        As in `Exchange`.
    """

    def __init__(
        self,
        session: Session,
        *,
        on_change: Callable[[Segmentation | None], None] | None = None,
        on_action: Callable[[str], None] | None = None,
    ):
        self.token = secrets.token_urlsafe(24)
        self._streams: list[queue.Queue[bytes | None]] = []
        self._lock = threading.Lock()
        self.exchange = Exchange.of(session, self._send, on_change=on_change, on_action=on_action)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.page = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="varconvex page", daemon=True).start()

    @property
    def address(self) -> str:
        """What to open in a browser; whoever knows it can draw."""
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def close(self) -> None:
        """Stop solving and serving."""
        self.exchange.close()
        with self._lock:
            for stream in self._streams:
                stream.put(None)
            self._streams = []
        self._server.shutdown()
        self._server.server_close()

    def stream(self) -> queue.Queue[bytes | None]:
        """A queue of all messages from now on; None ends it. The oldest of too many is ended."""
        added: queue.Queue[bytes | None] = queue.Queue()
        with self._lock:
            self._streams.append(added)
            if len(self._streams) > _MOST_STREAMS:
                self._streams.pop(0).put(None)
        return added

    def forget(self, stream: queue.Queue[bytes | None]) -> None:
        """Put nothing more into a queue."""
        with self._lock:
            if stream in self._streams:
                self._streams.remove(stream)

    def _send(self, data: bytes) -> None:
        with self._lock:
            for stream in list(self._streams):
                stream.put(data)
                if stream.qsize() > _MOST_WAITING:  # nobody reads: the canvas will connect again and ask for all
                    self._streams.remove(stream)
                    stream.put(None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: Page

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: browsers close connections as they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 60
    server_version, sys_version = "varconvex", ""

    def do_GET(self) -> None:
        """The page, its script and style, or the stream of messages."""
        name = self._allowed()
        if name == "stream":
            self._stream()
        elif name in _FILES:
            kind, text = _FILES[name]
            self._reply(200, text().encode(), kind)
        elif name is not None:
            self._reply(404, b"not found")

    def do_POST(self) -> None:
        """One message of a canvas."""
        name = self._allowed()
        if name is None:
            return
        length = self.headers.get("Content-Length", "")
        if name != "send" or not length.isdecimal() or int(length) > LARGEST_MESSAGE:
            self.close_connection = True  # what follows is not read
            self._reply(404 if name != "send" else 413, b"not a message")
            return
        data = self.rfile.read(int(length))
        whole = len(data) == int(length)
        self._reply(204 if whole and self.server.page.exchange.receive(data) else 400, b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the address holds the token."""

    def _allowed(self) -> str | None:
        """The name that is asked for behind the token; None, after a 403, of all that do not come from our page."""
        page, path = self.server.page, self.path.partition("?")[0]
        token, _, name = path.removeprefix("/").partition("/")
        homes = [f"127.0.0.1:{page.port}", f"localhost:{page.port}"]
        origin = self.headers.get("Origin")
        known = hmac.compare_digest(token.encode(), page.token.encode())
        here = self.headers.get("Host") in homes and (origin is None or origin in [f"http://{home}" for home in homes])
        if known and here and "/" in path[1:]:
            return name
        self.close_connection = True
        self._reply(403, b"forbidden")
        return None

    def _reply(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def _stream(self) -> None:
        """All messages from now on, each behind its length, until the tab or the page is closed."""
        self.close_connection = True
        messages = self.server.page.stream()
        try:
            self.send_response(200)
            for name, value in {**_HEADERS, "Content-Type": "application/octet-stream", "Connection": "close"}.items():
                self.send_header(name, value)
            self.end_headers()
            while True:
                try:
                    data = messages.get(timeout=_PULSE)
                except queue.Empty:
                    data = b""
                if data is None:
                    return
                self.wfile.write(struct.pack("<I", len(data)) + data)
                self.wfile.flush()
        except OSError:
            return  # the tab is closed
        finally:
            self.server.page.forget(messages)

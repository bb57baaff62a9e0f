"""The local page: who may ask, what is answered, and a stroke that gets its answer."""

import http.client
import socket
import struct
from urllib.parse import urlsplit

import numpy as np
import pytest

from varconvex import Session
from varconvex.widget.messages import LARGEST_MESSAGE, decode_runs, frame, unframe
from varconvex.widget.page import Page


@pytest.fixture
def page(two_blobs):
    made = Page(Session(two_blobs[0]))
    yield made
    made.close()


def ask(page, path, method="GET", body=None, **headers):
    """Status, headers and body of a request to the page's server; `path` as it is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
    try:
        named = {"Host": f"127.0.0.1:{page.port}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, path, body=body, headers=named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


class Stream:
    """The stream of messages of a page."""

    def __init__(self, page):
        self.connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
        self.connection.request("GET", f"/{page.token}/stream")
        self.answer = self.connection.getresponse()

    def until(self, kind):
        """Messages up to the first of this kind."""
        while True:
            (length,) = struct.unpack("<I", self.answer.read(4))
            data = self.answer.read(length)
            if length and unframe(data)[0]["kind"] == kind:
                return unframe(data)

    def close(self):
        self.answer.close()
        self.connection.close()


def test_the_page_its_script_and_its_style(page):
    parts = urlsplit(page.address)
    assert (parts.hostname, parts.port) == ("127.0.0.1", page.port)
    assert len(page.token) >= 32
    for name, kind, text in (("", "text/html", "canvas.js?page"), ("canvas.js?page", "text/javascript", "class Canvas"),
                             ("canvas.css", "text/css", ".vc-stage")):  # fmt: skip
        status, headers, body = ask(page, parts.path + name)
        assert status == 200
        assert headers["Content-Type"].startswith(kind)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert text in body.decode()
        assert page.token not in body.decode()
    assert ask(page, parts.path + "nothing")[0] == 404


def test_two_pages_have_two_tokens(page, two_blobs):
    other = Page(Session(two_blobs[0]))
    try:
        assert other.token != page.token
        assert ask(page, f"/{other.token}/")[0] == 403
    finally:
        other.close()


@pytest.mark.parametrize("path", [
    "/", "/{t}", "/{t}x/", "/{T}/", "/wrong/{t}/", "/{h}/", "/canvas.js", "/../{t}/", "/?{t}/", "/é/", "*",
])  # fmt: skip
def test_other_addresses_are_forbidden(page, path):
    token = page.token
    path = path.format(t=token, T=token.swapcase(), h=token[:-1])
    with socket.create_connection(("127.0.0.1", page.port), timeout=10) as plain:
        plain.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n\r\n".encode())
        assert plain.recv(100).split()[1] == b"403"


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "127.0.0.1:1", "localhost.x.com:{p}", "", "[::1]:{p}"])
def test_other_hosts_are_forbidden(page, host):
    """A name that was made to point here (DNS rebinding) must not read the page."""
    assert ask(page, f"/{page.token}/", Host=host.format(p=page.port))[0] == 403
    assert ask(page, f"/{page.token}/", Host=f"localhost:{page.port}")[0] == 200


def test_other_origins_are_forbidden(page):
    for origin, status in (("http://example.com", 403), ("null", 403), (f"http://127.0.0.1:{page.port}", 400)):
        assert ask(page, f"/{page.token}/send", "POST", b"nonsense", Origin=origin)[0] == status


def test_it_listens_on_this_machine_only(page):
    assert page._server.socket.getsockname()[0] == "127.0.0.1"


def test_a_stroke_and_its_answer(page):
    stream = Stream(page)
    send = f"/{page.token}/send"
    view = {"view": "aaaa0001", "axis": 0, "index": 0, "mode": "labels", "fresh": True}
    assert ask(page, send, "POST", frame("view", view))[0] == 204
    assert stream.until("image")[0]["columns"] == 120
    for number, label, line in ((1, 1, [(6, 6), (6, 110), (84, 110)]), (2, 2, [(40, 30), (40, 50)])):
        header = {"view": "aaaa0001", "id": number, "label": label, "width": 4, "axis": 0, "index": 0}
        assert ask(page, send, "POST", frame("stroke", header, [np.array(line, "<f4").tobytes()]))[0] == 204
    header, parts = stream.until("answer")
    labels = decode_runs(parts[0], header["ids"], (90, 120))
    assert page.exchange.wait(20)
    np.testing.assert_array_equal(labels, page.exchange.session.result.labels)
    stream.close()


def test_what_is_no_message_is_refused_and_the_page_goes_on(page):
    send = f"/{page.token}/send"
    assert ask(page, send, "POST", b"nonsense")[0] == 400
    assert ask(page, send, "POST", b"")[0] == 400
    assert ask(page, send, "POST", b"x", Content_Length=str(LARGEST_MESSAGE + 1))[0] == 413
    assert ask(page, send, "POST", b"x", Content_Length="-1")[0] == 413
    assert ask(page, f"/{page.token}/other", "POST", b"x")[0] == 404
    assert ask(page, send, "PUT", b"x")[0] in (405, 501)
    with socket.create_connection(("127.0.0.1", page.port), timeout=10) as plain:
        plain.sendall(bytes(range(256)) + b"\r\n\r\n")
    assert ask(page, f"/{page.token}/")[0] == 200


def test_a_tab_that_is_closed_costs_nothing(page):
    streams = [Stream(page) for _ in range(3)]
    assert len(page._streams) == 3
    for stream in streams:
        stream.connection.sock.close() if stream.connection.sock else None
        stream.close()
    page.exchange.refresh()
    assert page.exchange.wait(20)
    assert ask(page, f"/{page.token}/")[0] == 200


def test_streams_end_with_the_page(two_blobs):
    page = Page(Session(two_blobs[0]))
    stream = Stream(page)
    page.close()
    assert stream.answer.read() == b""
    stream.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", page.port), timeout=2)

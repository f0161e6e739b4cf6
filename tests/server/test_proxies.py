"""Behind a proxy, on every server: its clients are told apart, and cannot say who they are themselves."""

import http.client
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.server.conftest import HOST

APP = Path(__file__).with_name("apps") / "proxied.py"
PROXY = "127.0.0.2"
# uvicorn and gunicorn believe such headers from 127.0.0.1 by themselves, unless told otherwise.
ARGUMENTS = {"uvicorn": ("--no-proxy-headers",), "gunicorn": ("--forwarded-allow-ips", "127.0.0.9")}


@pytest.fixture
def server(serve, kind):
    return serve(APP, kind, arguments=ARGUMENTS.get(kind, ()))


def get(port, headers, source=HOST):
    connection = http.client.HTTPConnection(HOST, port, timeout=10, source_address=(source, 0))
    try:
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def proxy_to(port):
    """A proxy that ends TLS, as far as anybody can tell: it adds its client's address, and sets the rest."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            before = self.headers.get("X-Forwarded-For")
            client = self.client_address[0]
            status, body = get(port, {
                "Host": "127.0.0.1", "X-Forwarded-Host": self.headers["Host"], "X-Forwarded-Proto": "https",
                "X-Forwarded-For": f"{before}, {client}" if before else client}, PROXY)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    proxy = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy.server_port
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


def seen(port, headers=(), source=HOST):
    status, body = get(port, dict(headers), source)
    assert status == 200, body
    return json.loads(body)


def test_L6_clients_of_the_proxy_are_told_apart_and_cannot_lie(server):
    device = {"Host": "device.example"}
    with proxy_to(server.port) as port:
        for source in ("127.0.0.1", "127.0.0.3"):
            for spoofed in ({}, {"X-Forwarded-For": "1.2.3.4"}, {"X-Forwarded-For": "127.0.0.2, junk"},
                            {"Forwarded": "for=1.2.3.4"}):
                assert seen(port, {**device, **spoofed}, source) == {
                    "source": source, "https": True, "origin": "https://device.example"}


def test_L6_whoever_comes_past_the_proxy_is_in_one_bucket_whatever_he_says(server):
    spoofed = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "device.example",
               "Forwarded": "for=1.2.3.4;proto=https"}
    honest = seen(server.port, source="127.0.0.4")
    assert seen(server.port, spoofed, "127.0.0.4") == honest
    assert not honest["https"] and honest["origin"] == server.url
    assert honest["source"] == "127.0.0.4"


def test_X7_other_names_are_not_answered(server):
    for name, status in (("127.0.0.1:99", 200), ("evil.example", 421), ("", 400)):
        assert get(server.port, {"Host": name})[0] == status, name

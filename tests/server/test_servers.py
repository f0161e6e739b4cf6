"""Where servers differ from each other, an app behind dotlatch does not."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.apps.guarded import ANSWERED, LARGE, PASSWORD
from tests.server.client import Answer, browser, request

APP = Path(__file__).with_name("apps") / "guarded.py"
LOGIN = {"username": "anna", "password": PASSWORD, "remember": "on"}


def session_of(server, name):
    with browser(server) as client:
        assert client.post("/login", data={**LOGIN, "username": name}).status_code == 302
        return client.cookies["session"]


def set_cookies(answer):
    """The attributes of each cookie that is set, by its name."""
    lines = [line.split("; ") for line in answer.headers.get_list("set-cookie")]
    return {parts[0].split("=")[0]: set(parts[1:]) for parts in lines}


# --- TLS ------------------------------------------------------------------------------------------

def test_cookies_over_tls_are_secure_and_of_this_host_alone(serve, kind):
    with browser(serve(APP, kind, tls=True)) as client:
        cookies = set_cookies(client.post("/login", data=LOGIN))
        assert set(cookies) == {"__Host-session", "__Host-_remember"}
        for attributes in cookies.values():
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
            assert not [a for a in attributes if a.startswith("Domain")]
        assert client.get("/").text == ANSWERED


def test_over_tls_the_plain_names_are_nobodys(serve, kind):
    server = serve(APP, kind, tls=True)
    token = None
    with browser(server) as client:
        client.post("/login", data=LOGIN)
        token = client.cookies["__Host-session"]
    with browser(server, cookies={"session": token}) as planted:
        assert planted.get("/").headers["location"] == "/login?next=/"


def test_a_logout_over_tls_clears_the_cookies_as_they_were_set(serve, kind):
    with browser(serve(APP, kind, tls=True)) as client:
        client.post("/login", data=LOGIN)
        cookies = set_cookies(client.post("/logout"))
        assert set(cookies) == {"__Host-session", "__Host-_remember"}
        for attributes in cookies.values():
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=0"} <= attributes
        assert not dict(client.cookies)


def test_cookies_over_plain_http_are_neither_secure_nor_prefixed(serve, kind):
    with browser(serve(APP, kind)) as client:
        cookies = set_cookies(client.post("/login", data=LOGIN))
        assert set(cookies) == {"session", "_remember"}
        assert not [attributes for attributes in cookies.values() if "Secure" in attributes]


# --- addresses ------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
def test_a_server_on_a_unix_socket_logs_people_in(serve, kind):
    server = serve(APP, kind, unix_socket=True)
    with browser(server) as client:
        assert client.get("/").headers["location"] == "/login?next=/"
        client.post("/login", data=LOGIN)
        assert client.get("/").text == ANSWERED
        assert client.get("/echo").json()["client"] == ""
    assert "Traceback" not in server.output()


# --- cookie lines ---------------------------------------------------------------------------------

def test_a_session_in_the_last_of_several_cookie_lines_is_found(serve, kind):
    server = serve(APP, kind)
    raw = request(headers=["Cookie: theme=dark", "Cookie: session=" + session_of(server, "anna")])
    assert Answer(server.exchange(raw)).body == ANSWERED.encode()


def test_a_session_in_the_first_of_several_cookie_lines_is_found(serve, kind):
    server = serve(APP, kind)
    raw = request(headers=["Cookie: session=" + session_of(server, "anna"), "Cookie: theme=dark"])
    answer = Answer(server.exchange(raw))
    if kind.startswith("builtin"):
        # Microdot's own server keeps the last line, and HTTP/1.1 browsers send only one.
        assert answer.verdict() == "302 /login?next=/"
    else:
        assert answer.body == ANSWERED.encode()


@pytest.mark.parametrize("form", ["one line", "two lines"])
def test_two_sessions_at_once_are_never_the_first_one(serve, kind, form):
    server = serve(APP, kind)
    anna, ben = session_of(server, "anna"), session_of(server, "ben")
    for first, second, name in ((anna, ben, b"ben"), (ben, anna, b"anna")):
        pairs = ["session=" + first, "session=" + second]
        lines = ["; ".join(pairs)] if form == "one line" else pairs
        answer = Answer(server.exchange(request(headers=["Cookie: " + line for line in lines])))
        if kind.startswith("builtin") and form == "two lines":
            assert answer.body == b"Hello, " + name
        else:
            assert answer.verdict() == "302 /login?next=/"


# --- text -----------------------------------------------------------------------------------------

def test_text_in_headers_cookies_and_queries_is_read_alike(serve, kind):
    server = serve(APP, kind)
    text = "Grüße, 世界 🔒"
    raw = request("/echo?q=Gr%C3%BC%C3%9Fe,+%E4%B8%96%E7%95%8C+%F0%9F%94%92",
                  headers=["X-Text: " + text, "Cookie: c=" + text])
    answer = Answer(server.exchange(raw))
    assert answer.status == 200
    body = answer.body.decode().encode().decode("unicode_escape") if b"\\u" in answer.body else \
        answer.body.decode()
    body = body.encode("utf-16", "surrogatepass").decode("utf-16")
    assert body.count(text) == 3


def test_a_page_with_umlauts_in_its_name_is_come_back_to(serve, kind):
    server = serve(APP, kind)
    with browser(server) as client:
        form = client.get("/private/Gr%C3%BC%C3%9Fe?x=%C3%A9").headers["location"]
        back = client.post(form, data=LOGIN).headers["location"]
        assert back == "/private/Gr%C3%BC%C3%9Fe?x=%C3%A9"
        assert client.get(back).text == ANSWERED


def test_a_plus_in_a_query_is_come_back_to_as_it_was(serve, kind):
    with browser(serve(APP, kind)) as client:
        form = client.get("/private/a?q=%C3%A9+x%2By&p=1").headers["location"]
        back = client.post(form, data=LOGIN).headers["location"]
        assert back == "/private/a?q=%C3%A9+x%2By&p=1"


def test_a_line_end_in_a_path_starts_no_header(serve, kind):
    server = serve(APP, kind)
    for rest in ("%0d%0aSet-Cookie:%20planted=1", "a%0d%0a%0d%0a<p>", "%0a", "%0d", "a%0dLocation:%20//x"):
        answer = Answer(server.exchange(request("/private/" + rest)))
        assert answer.verdict() == "404" or re.fullmatch(
            r"302 /login\?next=/private/[!-~]+", answer.verdict()), rest
        assert not answer.get("set-cookie"), rest
        assert b"<p>" not in answer.body, rest
    assert "500 Internal" not in server.output()


def test_an_escaped_question_mark_starts_no_query(serve, kind):
    """Else `/login%3Fnext=...` would be the login page to some servers and to some guards not."""
    server = serve(APP, kind)
    for target in ("/login%3Fnext=/x", "/%3f", "/basic%3fx=1"):
        assert Answer(server.exchange(request(target))).status == 404, target


def test_an_escaped_letter_opens_no_guarded_page(serve, kind):
    server = serve(APP, kind)
    for target in ("/%62asic", "/%66resh", "/%74oken", "//basic", "/./basic", "/basic/", "/BASIC"):
        answer = Answer(server.exchange(request(target)))
        assert answer.status in (302, 401, 404), target
        assert ANSWERED.encode() not in answer.body, target


# --- many at a time -------------------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [(), ("--threads", "4")], ids=["one thread", "four threads"])
def test_gunicorn_serves_everybody_at_the_same_time(serve, arguments):
    everybody_is_served(serve(APP, "gunicorn", arguments=arguments))


def test_everybody_is_served_at_the_same_time(serve, kind):
    everybody_is_served(serve(APP, kind))


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn", "builtin-cpython"])
def test_a_late_reader_gets_the_whole_page(serve, kind):
    server = serve(APP, kind)
    with browser(server, cookies={"session": session_of(server, "anna")}) as client:
        with client.stream("GET", "/large") as answer:
            time.sleep(0.3)
            assert sum(len(part) for part in answer.iter_bytes()) == LARGE
    assert "Traceback" not in server.output()


def everybody_is_served(server):
    cookies = {name: {"session": session_of(server, name)} for name in ("anna", "ben")}

    def visit(number):
        name = ("anna", "ben")[number % 2]
        with browser(server, cookies=cookies[name]) as client:
            return client.get("/").text == "Hello, " + name

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(visit, range(80)))
    assert "Traceback" not in server.output()

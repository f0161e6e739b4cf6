"""Digest with the clients that people have: curl, httpx, requests and Chromium, on every server."""

import asyncio
import json
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import requests
from playwright.sync_api import sync_playwright

from tests.server.apps.digested import NAME, OTHER, PASSWORD
from tests.server.chromium import FLAGS
from tests.server.client import Answer, request

APP = Path(__file__).with_name("apps") / "digested.py"
SECONDS = 20
PATHS = ("/page", "/page?", "/page?a=1&b=%20x", "/page/%61%2Fb", "/page/a%20b/caf%C3%A9?q=caf%C3%A9&r=a+b", "/page//x",
         "/page/a;b=c,d?e=f,g=%22")


@pytest.fixture
def server(serve, kind):
    return serve(APP, kind, arguments=["--threads", "8"] if kind == "gunicorn" else [])


class Curl:
    def __init__(self, username, password):
        self.user = f"{username}:{password}"

    def send(self, server, path, method="GET", body=None):
        command = ["curl", "--silent", "--digest", "--user", self.user, "--request", method, "--path-as-is",
                   "--max-time", str(SECONDS), "--write-out", "\n%{http_code}", server.url + path]
        if body is not None:
            command += ["--data-binary", body]
        text, _, status = subprocess.run(command, check=True, capture_output=True).stdout.decode().rpartition("\n")
        return int(status), text


class Httpx:
    def __init__(self, username, password):
        self.client = httpx.Client(auth=httpx.DigestAuth(username, password), timeout=SECONDS, trust_env=False)

    def send(self, server, path, method="GET", body=None):
        answer = self.client.request(method, server.url + path, content=body)
        return answer.status_code, answer.text


class Requests:
    def __init__(self, username, password):
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = requests.auth.HTTPDigestAuth(username, password)

    def send(self, server, path, method="GET", body=None):
        answer = self.session.request(method, server.url + path, data=body, timeout=SECONDS)
        return answer.status_code, answer.text


@pytest.fixture(params=[Curl, Httpx, Requests])
def client(request):
    return request.param


def entered(answer):
    """What the page says to who is let in."""
    status, text = answer
    assert status == 200, answer
    return json.loads(text)


# --- programs -------------------------------------------------------------------------------------

def test_addresses_and_bodies_of_all_kinds(server, client):
    anna = client(NAME, PASSWORD)
    for path in PATHS:
        if client is Requests and ";" in path:
            continue  # it signs another address than the one it asks for
        assert entered(anna.send(server, path))["user"] == NAME, path
    for method, body in (("POST", "x" * 3000), ("PUT", "a=b&c"), ("POST", "")):
        said = entered(anna.send(server, "/page/form?x", method, body))
        assert (said["method"], said["body"]) == (method, body)


def test_a_wrong_password_and_a_name_that_nobody_has(server, client):
    for name, password in ((NAME, "wrong"), (NAME, ""), ("nobody", PASSWORD)):
        status, text = client(name, password).send(server, "/page")
        assert status == 401 and NAME not in text


def test_a_realm_and_a_name_that_have_to_be_quoted(server):
    # Of the three only curl quotes them.
    for name in (NAME, OTHER):
        assert entered(Curl(name, PASSWORD).send(server, "/odd"))["user"] == name


def test_other_algorithms_where_they_are_asked_for(server, client):
    anna = client(NAME, PASSWORD)
    for path in ("/both", "/old"):
        assert entered(anna.send(server, path))["user"] == NAME, path


def test_fifty_requests_on_one_nonce(server):
    with httpx.Client(auth=httpx.DigestAuth(NAME, PASSWORD), timeout=SECONDS, trust_env=False) as client:
        answers = [client.get(server.url + f"/page/{i}") for i in range(50)]
    assert [answer.status_code for answer in answers] == [200] * 50
    # One challenge for all of them.
    assert sum(len(answer.history) for answer in answers) <= 1
    nonces = {re.search('nonce="([^"]+)"', answer.request.headers["Authorization"])[1] for answer in answers}
    assert len(nonces) == 1


def test_requests_in_parallel(server):
    async def main():
        auth = httpx.DigestAuth(NAME, PASSWORD)
        async with httpx.AsyncClient(auth=auth, timeout=SECONDS, trust_env=False) as client:
            await client.get(server.url + "/page")
            return await asyncio.gather(*[client.get(server.url + f"/page/{i}") for i in range(40)])

    assert [answer.status_code for answer in asyncio.run(main())] == [200] * 40


def test_D3_of_many_equal_requests_at_once_one_passes(server):
    for turn in range(3):
        credentials = answer_to_a_challenge(server, f"/page/{turn}")
        raw = request(f"/page/{turn}", headers=["Authorization: " + credentials])
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: Answer(server.exchange(raw, SECONDS)).status, range(16)))  # noqa: B023
        assert sorted(answers) == [200] + [401] * 15


def answer_to_a_challenge(server, path):
    """The Authorization of a first request with a new nonce, which is not sent here."""
    auth = httpx.DigestAuth(NAME, PASSWORD)
    flow = auth.sync_auth_flow(httpx.Request("GET", server.url + path))
    sent = next(flow)
    with httpx.Client(timeout=SECONDS, trust_env=False) as client:
        return flow.send(client.send(sent)).headers["Authorization"]


def test_D2_programs_get_a_new_nonce_by_themselves_when_theirs_has_ended(server):
    with httpx.Client(auth=httpx.DigestAuth(NAME, PASSWORD), timeout=SECONDS, trust_env=False) as client:
        assert client.get(server.url + "/brief").status_code == 200
        time.sleep(1.1)
        again = client.get(server.url + "/brief")
    assert again.status_code == 200
    assert "stale=true" in again.history[0].headers["WWW-Authenticate"]


def test_D4_curl_hides_the_name(server):
    for name in (NAME, OTHER):
        command = ["curl", "--silent", "--verbose", "--digest", "--user", f"{name}:{PASSWORD}", server.url + "/hidden"]
        done = subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
        assert json.loads(done.stdout)["user"] == name
        sent = re.search(r"^> Authorization: (Digest .*)", done.stderr.decode(), re.MULTILINE)[1]
        assert "userhash=true" in sent and "anna" not in sent and "Doe" not in sent


def test_D4_a_digest_is_for_the_address_as_it_was_sent(server):
    credentials = answer_to_a_challenge(server, "/page/a?x=1")
    for path in ("/page/%61?x=1", "/page/a?x=%31", "/page/a", "/page/a?x=1&", "/page/a?x=2", "/page/b?x=1",
                 "/page//a?x=1"):
        answer = Answer(server.exchange(request(path, headers=["Authorization: " + credentials])))
        assert answer.status == 400, path
        assert answer.get("www-authenticate").startswith("Digest "), path
    answer = Answer(server.exchange(request("/page/a?x=1", headers=["Authorization: " + credentials])))
    assert answer.status == 200 and answer.get("authentication-info").startswith('rspauth="')


def test_every_server_has_the_same_verdict_on_what_is_malformed(server):
    for header, status in (
            (b"Digest", 400), (b"Digest x", 400), (b"Digest a=b", 401), (b'Digest a="b', 400),
            (b"Digest a=b, A=c", 400), (b"digest realm=tests", 401),
            (b"Digest realm=tests, algorithm=SHA-256, qop=auth", 400),
            (b"Digest realm=tests, algorithm=MD5, qop=auth", 401), (b"Digest realm=tests, algorithm=SHA-256", 401),
            (b'Digest username="\xff", realm=tests', 400), (b'Digest username="caf\xc3\xa9", realm=tests', 401),
            (b"Digest " + b"a=b," * 100, 400), (b"Digest " + b"," * 1000, 401),
            (b"Digest " + b", ".join(b"p%d=x" % i for i in range(17)), 400), (b"Digests a=b", 401)):
        answer = Answer(server.exchange(request("/page", headers=[b"Authorization: " + header])))
        assert answer.status == status, header
    assert server.alive()


# --- a browser ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(chromium):
    """`open_page(name, password)`: a browser of somebody who types these into its prompt."""
    contexts = []

    def open_page(name=NAME, password=PASSWORD):
        context = chromium.new_context(http_credentials={"username": name, "password": password})
        context.set_default_timeout(SECONDS * 1000)
        contexts.append(context)
        return context.new_page()
    yield open_page
    for context in contexts:
        context.close()


def shown(page, url):
    answer = page.goto(url)
    assert answer.status == 200, answer.status
    return json.loads(page.locator("body").inner_text())


def test_chromium_logs_in(server, open_page):
    page = open_page()
    for path in PATHS:
        assert shown(page, server.url + path)["user"] == NAME, path
    assert shown(page, server.url + "/both")["user"] == NAME
    assert shown(page, server.url + "/old")["user"] == NAME


def test_chromium_quotes_names_and_realms(server, open_page):
    page = open_page(OTHER)
    assert shown(page, server.url + "/page")["user"] == OTHER
    assert shown(page, server.url + "/odd")["user"] == OTHER


def test_chromium_with_a_wrong_password_stays_outside(server, open_page):
    assert open_page(password="wrong").goto(server.url + "/page").status == 401


def test_chromium_loads_a_page_of_forty_images_at_once(server, open_page):
    page = open_page()
    statuses = []
    page.on("response", lambda answer: statuses.append(answer.status))
    page.goto(server.url + "/frames")
    page.wait_for_load_state("networkidle")
    assert statuses.count(200) == 41
    assert set(statuses) <= {200, 401} and statuses.count(401) <= 1


def test_D2_chromium_takes_a_new_nonce_without_asking_again(server, open_page):
    page = open_page()
    assert shown(page, server.url + "/brief")["user"] == NAME
    time.sleep(1.1)
    assert shown(page, server.url + "/brief")["user"] == NAME
    server.restart()  # the nonces of another boot
    assert shown(page, server.url + "/brief")["user"] == NAME


def test_chromium_sends_a_form_and_its_body_arrives_once(server, open_page):
    page = open_page()
    page.goto(server.url + "/page")
    said = page.evaluate("""async () => (await fetch('/page/form?x=1', {method: 'POST', body: 'some text'})).json()""")
    assert (said["user"], said["method"], said["body"], said["query"]) == (NAME, "POST", "some text", "x=1")

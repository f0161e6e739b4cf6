"""examples/fleet: a central app under uvicorn and two boards, one on each Python, as people and scripts use them."""
import json
import re

import httpx
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from playwright.sync_api import expect, sync_playwright

from dotlatch import fleet, tokens
from dotlatch.portable import b64url_decode
from tests.server.conftest import HOST
from tests.server.fleet import PASSWORD, Fleet, browser_url

PUMP, DOOR = "pump-7", "door-1"
BOARDS = {PUMP: "builtin-micropython", DOOR: "builtin-cpython"}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    running = Fleet(tmp_path_factory.mktemp("fleet"), BOARDS)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_a_boards_key_is_what_HKDF_of_others_says():
    master = bytes(range(32))
    for name in (PUMP, DOOR, "x" * 64):
        info = b"dotlatch fleet board\n" + name.encode()
        expected = HKDFExpand(SHA256(), 32, info).derive(master)
        assert b64url_decode(fleet.board_key(master, name)) == expected


@pytest.mark.parametrize("board", [PUMP, DOOR])
def test_a_script_gets_a_token_that_opens_its_board(running, board):
    token = running.token(board)
    answer = running.ask(board, token)
    assert (answer.status_code, answer.json()) == (200, {"board": board, "valve": "shut"})


@pytest.mark.parametrize("board, other", [(PUMP, DOOR), (DOOR, PUMP)])
def test_T8_and_no_other_board(running, board, other):
    answer = running.ask(other, running.token(board))
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("board, other", [(PUMP, DOOR), (DOOR, PUMP)])
def test_T8_what_a_thief_finds_on_one_board_makes_no_token_for_another(running, board, other):
    stolen = running.key(board)
    claims = {"sub": "thief", "name": "thief", "aud": other, "jti": "x", "scope": "read write"}
    for key in (stolen, b64url_decode(stolen)):
        assert running.ask(other, tokens.encode(claims, key, fleet.TYP, 300)).status_code == 401
    forged = fleet.issue(b64url_decode(stolen), other, "thief", ["read"])
    assert running.ask(other, forged).status_code == 401
    own = tokens.encode({**claims, "aud": board}, b64url_decode(stolen), fleet.TYP, 300)
    assert running.ask(board, own).status_code == 200  # the forgery is well made, but for the board


@pytest.mark.parametrize("board", [PUMP, DOOR])
def test_a_token_that_has_ended_or_was_changed_is_refused(running, board):
    token = running.token(board)
    head, payload, signature = token.split(".")
    claims = json.loads(b64url_decode(payload))
    key = b64url_decode(running.key(board))
    for changed in (head + "." + payload + "." + signature[:-1] + ("A" if signature[-1] != "A" else "E"),
                    head + "." + payload[:-2] + "." + signature,
                    head + "." + payload + ".",
                    tokens.encode({**claims, "exp": claims["iat"] - 1}, key, fleet.TYP),
                    tokens.encode(claims, key, "dl-fleet-login+jwt")):
        assert running.ask(board, changed).status_code == 401
    assert running.ask(board, token).status_code == 200


@pytest.mark.parametrize("board", [PUMP, DOOR])
def test_R3_bert_may_look_and_not_touch(running, board):
    assert running.ask(board, running.token(board, "bert")).status_code == 200
    answer = running.ask(board, running.token(board, "bert"), "/valve", "POST")
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="write"' in answer.headers["www-authenticate"]


def test_the_central_app_gives_a_token_to_nobody_else(running):
    url = f"{running.central.url}/api/boards/{PUMP}/token"
    for options in ({}, {"auth": ("anna", "a wrong password")}, {"auth": ("nobody", PASSWORD)}):
        assert httpx.post(url, trust_env=False, timeout=20, **options).status_code == 401
    assert httpx.post(f"{running.central.url}/api/boards/pump-9/token", auth=("anna", PASSWORD), trust_env=False,
                      timeout=20).status_code == 404


@pytest.mark.parametrize("path, fields", [("/login", {"username": "bert", "password": PASSWORD}), ("/logout", {})])
@pytest.mark.parametrize("origin, status", [("http://evil.lan", 403), ("null", 403), (None, 302)])
def test_X1_no_page_of_a_strangers_logs_anybody_in_or_out_at_the_central_app(running, path, fields, origin, status):
    answer = httpx.post(running.central.url + path, data=fields, headers={"Origin": origin or running.central.url},
                        trust_env=False, timeout=20)
    assert answer.status_code == status or (path, origin, answer.status_code) == ("/logout", None, 303)
    assert ("set-cookie" in answer.headers) == (path == "/login" and status == 302)


@pytest.mark.parametrize("board", [PUMP, DOOR])
def test_X1_a_page_of_another_board_changes_nothing_on_this_one(running, board):
    url = running.boards[board].url
    with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
        entered = client.post("/fleet", data={"token": running.login_token(board)},
                              headers={"Origin": running.central.url})
        assert entered.status_code == 303
        for origin, status in (("http://other.lan", 403), (running.central.url, 403), (url, 303)):
            assert client.post("/valve", data={"valve": "shut"}, headers={"Origin": origin}).status_code == status


def test_no_board_has_the_master_key_or_anothers(running):
    master = (running.central.data / "master.key").read_text()
    for name, board in running.boards.items():
        kept = "".join(path.read_text() for path in board.data.iterdir())
        assert running.key(name) in kept
        for other in {PUMP, DOOR} - {name}:
            assert running.key(other) not in kept
        assert master not in kept


# --- in a browser ---------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def chromium():
    hosts = ",".join(f"MAP {name}.lan {HOST}" for name in (PUMP, DOOR))
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[
            "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--host-resolver-rules=" + hosts])
        yield launched
        launched.close()


@pytest.fixture
def page(chromium):
    context = chromium.new_context()
    context.set_default_timeout(15000)
    yield context.new_page()
    context.close()


def log_in(page, name="anna"):
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("board", [PUMP, DOOR])
def test_a_person_who_opens_a_board_logs_in_at_the_central_app_and_is_back(running, page, board):
    home = browser_url(running.boards[board], board)
    seen = []
    page.on("request", lambda request: seen.append(request.url))
    page.goto(home + "/?day=3")
    expect(page).to_have_url(re.compile(re.escape(running.central.url) + "/login"))
    log_in(page)
    expect(page).to_have_url(home + "/?day=3")
    expect(page.get_by_text("Hello, anna. The valve is shut.")).to_be_visible()
    assert not [url for url in seen if "eyJ" in url]  # no token in an address
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("The valve is open.")).to_be_visible()
    page.get_by_role("button", name="Shut").click()
    expect(page.get_by_text("The valve is shut.")).to_be_visible()


def test_one_login_opens_every_board(running, page):
    page.goto(running.central.url)
    log_in(page)
    for board in (PUMP, DOOR):
        page.goto(running.central.url)
        page.get_by_role("link", name=board).click()
        expect(page.get_by_role("heading", name=board)).to_be_visible()
    page.goto(running.central.url)
    page.get_by_role("button", name="Log out").click()
    page.goto(browser_url(running.boards[PUMP], PUMP))
    expect(page.get_by_text("Hello, anna.")).to_be_visible()  # a board's session goes on by itself
    page.get_by_role("button", name="Log out").click()
    page.goto(browser_url(running.boards[PUMP], PUMP))
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


@pytest.mark.parametrize("board", [PUMP, DOOR])
def test_a_login_that_was_seen_by_others_is_worth_nothing(running, page, board):
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    page.goto(f"{running.central.url}/boards/{board}")
    log_in(page)
    expect(page.get_by_role("heading", name=board)).to_be_visible()
    form = next(request.post_data for request in sent if request.url.endswith("/fleet"))
    for origin, status in ((running.central.url, 401), ("http://evil.lan", 403), ("null", 403)):
        answer = httpx.post(running.boards[board].url + "/fleet", content=form, trust_env=False, timeout=20, headers={
            "Content-Type": "application/x-www-form-urlencoded", "Origin": origin})
        assert answer.status_code == status and "set-cookie" not in answer.headers, origin

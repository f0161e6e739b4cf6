"""The device console as its owner uses it, over real HTTP, on every server and both Pythons."""

import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dotlatch.users import FileUsers
from tests.server.client import browser, log_in, with_cookies

NEW = "tulip harbour nine lantern"
OWNER = {"username": "admin", "password": NEW, "again": NEW}
REFUSED = "/login?next=/"


def cookie_line(response, name):
    """The Set-Cookie line of one cookie, of which there has to be exactly one."""
    lines = [line for line in response.headers.get_list("set-cookie")
             if line.startswith(name + "=")]
    assert len(lines) == 1, response.headers.get_list("set-cookie")
    return lines[0]


def change_password(client, current, new, again=None):
    return client.post("/account/password", data={
        "current": current, "new": new, "again": new if again is None else again})


@pytest.fixture
def client(console):
    with browser(console) as client:
        yield client


@pytest.fixture
def admin(console, client):
    assert log_in(client, console.password).status_code == 302
    return client


# --- getting in -----------------------------------------------------------------------------------

def test_a_stranger_is_sent_to_the_login_form(client):
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, REFUSED)
    assert "set-cookie" not in answer.headers


def test_a_stranger_comes_back_to_the_page_that_was_asked_for(console, client):
    form = client.get("/account/password").headers["location"]
    assert form == "/login?next=/account/password"
    answer = client.post(form, data={"username": "admin", "password": console.password})
    assert answer.headers["location"] == "/account/password"
    assert client.get("/account/password").status_code == 200


def test_the_login_form_helps_password_managers_and_needs_nothing_from_elsewhere(client):
    answer = client.get("/login")
    assert answer.status_code == 200
    assert 'autocomplete="username"' in answer.text
    assert 'autocomplete="current-password"' in answer.text
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_wrong_password_is_a_401_without_a_cookie(client):
    pages = set()
    for fields in ({"username": "admin", "password": "not the password"},
                   {"username": "nobody", "password": "not the password"},
                   {"username": "admin", "password": ""},
                   {"username": "admin"},
                   {}):
        answer = client.post("/login", data=fields)
        assert answer.status_code == 401, fields
        assert "Name or password is wrong." in answer.text, fields
        assert "www-authenticate" in answer.headers, fields
        assert "set-cookie" not in answer.headers, fields
        pages.add(answer.text)
    assert len(pages) == 1  # nobody learns which names there are
    assert client.get("/").headers["location"] == REFUSED


def test_there_is_no_default_password(client):
    for password in ("admin", "password", "dotlatch", "changeme"):
        assert log_in(client, password).status_code == 401, password


def test_two_consoles_have_two_codes_and_two_keys(start_console, kind):
    one, other = (start_console(kind, claim=False) for _ in range(2))
    assert one.code != other.code
    with browser(one) as client:
        answer = client.post("/claim", data={"code": other.code, **OWNER})
        assert (answer.status_code, "That is not the code." in answer.text) == (403, True)
    for console in (one, other):
        console.claim()
    assert (one.data / "secret.key").read_bytes() != (other.data / "secret.key").read_bytes()
    with browser(one) as client:
        log_in(client, one.password)
        assert with_cookies(other, client.cookies).headers["location"] == REFUSED


def test_the_session_cookie_is_for_this_site_and_not_for_scripts(console, client):
    line = cookie_line(log_in(client, console.password), "session")
    attributes = line.split("; ")[1:]
    assert {"Path=/", "HttpOnly", "SameSite=Lax"} <= set(attributes)
    assert not [a for a in attributes if a.split("=")[0] in ("Secure", "Domain", "Max-Age")]


def test_the_remember_me_cookie_has_the_same_attributes_and_an_end(console, client):
    line = cookie_line(log_in(client, console.password, remember="on"), "_remember")
    assert {"Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=2592000"} <= set(line.split("; ")[1:])


def test_a_login_gives_a_new_session(console, client):
    log_in(client, console.password)
    first = client.cookies["session"]
    log_in(client, console.password)
    assert client.cookies["session"] != first
    assert with_cookies(console, {"session": first}).headers["location"] == REFUSED


# --- inside ---------------------------------------------------------------------------------------

def test_the_page_shows_the_figures_and_stays_out_of_caches(admin):
    answer = admin.get("/")
    assert answer.status_code == 200
    assert "Logged in as admin" in answer.text
    assert re.search(r'id="uptime">\d+:\d\d:\d\d<', answer.text)
    assert re.search(r'id="temperature">2\d\.\d °C<', answer.text)
    assert 'id="light">off<' in answer.text
    assert "no-store" in answer.headers["cache-control"]
    assert "Cookie" in answer.headers["vary"]


def test_the_figures_come_as_json(admin):
    answer = admin.get("/figures", headers={"Accept": "application/json"})
    assert answer.headers["content-type"].startswith("application/json")
    assert set(answer.json()) == {"uptime", "memory", "temperature", "light"}
    assert "no-store" in answer.headers["cache-control"]


def test_a_program_without_a_login_gets_a_401(client):
    for headers in ({"Accept": "application/json"}, {"X-Requested-With": "XMLHttpRequest"},
                    {"Sec-Fetch-Mode": "cors"}, {"Accept": "text/event-stream"}):
        answer = client.get("/figures", headers={"Accept": "*/*", **headers})
        assert answer.status_code == 401, headers
        assert answer.headers["www-authenticate"].startswith("Cookie "), headers


def test_the_light_is_switched(admin):
    for value in ("on", "off"):
        answer = admin.post("/light", data={"light": value})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert admin.get("/figures").json()["light"] == value
        assert f'id="light">{value}<' in admin.get("/").text


def test_a_stranger_switches_nothing(console, client, admin):
    with browser(console) as stranger:
        assert stranger.post("/light", data={"light": "on"}).status_code in (302, 303)
    assert admin.get("/figures").json()["light"] == "off"


def test_a_post_without_a_login_leads_to_a_page_afterwards(console, client):
    """What was posted is gone; a GET of the form's address would be a 405."""
    form = client.post("/light", data={"light": "on"}).headers["location"]
    answer = client.post(form, data={"username": "admin", "password": console.password})
    assert client.get(answer.headers["location"]).status_code == 200


def test_a_page_that_is_not_there_is_a_404(admin):
    answer = admin.get("/nowhere")
    assert answer.status_code == 404
    assert "no such page" in answer.text


# --- another password -----------------------------------------------------------------------------

def test_a_password_change_is_refused_and_says_why(console, admin):
    right = console.password
    for current, new, again, says in (
            ("not the password", NEW, NEW, "The current password is wrong."),
            ("", NEW, NEW, "The current password is wrong."),
            ("not the password", "too short", "too short", "The current password is wrong."),
            (right, "too short", "too short", "at least 15 characters"),
            (right, NEW, NEW + "!", "The two new passwords differ."),
            (right, NEW * 200, NEW * 200, "at most 4096 bytes"),
            (right, "admin admin greenhouse", "admin admin greenhouse", "a name that others know"),
            (right, "correct horse battery staple", "correct horse battery staple", "anybody would try"),
            (right, "", "", "at least 15 characters")):
        answer = change_password(admin, current, new, again)
        assert answer.status_code == 400, says
        assert says in answer.text, says
    with browser(console) as other:
        assert log_in(other, NEW).status_code == 401
        assert log_in(other, right).status_code == 302


def test_a_password_change_replaces_the_password_and_keeps_this_browser(console, admin):
    answer = change_password(admin, console.password, NEW)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "Your password is changed." in admin.get("/account").text
    assert "Your password is changed." not in admin.get("/account").text
    with browser(console) as other:
        assert log_in(other, console.password).status_code == 401
        assert log_in(other, NEW).status_code == 302


def test_a_password_change_ends_every_other_login(console, admin):
    before = dict(admin.cookies)
    with browser(console) as other:
        log_in(other, console.password, remember="on")
        session, remember = other.cookies["session"], other.cookies["_remember"]
        assert other.get("/").status_code == 200
        change_password(admin, console.password, NEW)
        assert other.get("/").headers["location"] == REFUSED
    for cookies in ({"session": session}, {"_remember": remember}, before):
        assert with_cookies(console, cookies).headers["location"] == REFUSED
    assert admin.get("/").status_code == 200


def test_a_stranger_changes_no_password(console, client):
    assert change_password(client, console.password, NEW).status_code == 302
    assert log_in(client, NEW).status_code == 401
    assert log_in(client, console.password).status_code == 302


# --- keys -----------------------------------------------------------------------------------------

KEY = re.compile(r"<code>(console_[A-Za-z0-9]{12}_[A-Za-z0-9]{32})</code>")


def make_key(client, name="pump", **fields):
    """The text of a new key, which its page shows."""
    answer = client.post("/keys", data={"name": name, "days": "", **fields})
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    return KEY.search(answer.text).group(1)


def with_key(console, key, path="/figures", **data):
    with browser(console, headers={"Accept": "*/*", "X-API-Key": key}) as client:
        return client.post(path, data=data) if data else client.get(path)


def test_R5_a_key_is_shown_once_and_reads_the_figures_until_it_is_revoked(console, admin):
    assert "<code>" not in admin.get("/keys").text
    key = make_key(admin, read="on")
    answer = with_key(console, key)
    assert answer.status_code == 200
    assert set(answer.json()) == {"uptime", "memory", "temperature", "light"}
    assert "no-store" in answer.headers["cache-control"]
    assert {"X-API-Key", "Cookie"} <= set(re.split(", *", answer.headers["vary"]))
    page = admin.get("/keys").text
    assert "<b>pump</b>" in page and "Last used: just now" in page and "Never ends" in page
    assert key.split("_")[2] not in page
    key_id = re.search(r'name="id" value="([^"]+)"', page).group(1)
    assert key_id == key.split("_")[1]
    assert admin.post("/keys/revoke", data={"id": key_id}).headers["location"] == "/keys"
    assert "pump" not in admin.get("/keys").text
    refused = with_key(console, key)
    assert refused.status_code == 401
    assert "APIKey realm=" in refused.headers["www-authenticate"]


def test_a_key_may_do_what_was_ticked_and_nothing_that_people_do(console, admin):
    reads, switches, neither = make_key(admin, read="on"), make_key(admin, light="on"), make_key(admin)
    assert [with_key(console, key).status_code for key in (reads, switches, neither)] == [200, 403, 403]
    assert [with_key(console, key, "/light", light="on").status_code
            for key in (reads, neither, switches)] == [403, 403, 200]
    assert admin.get("/figures").json()["light"] == "on"
    for path in ("/", "/keys", "/account/password"):
        assert with_key(console, reads, path).headers["location"] == f"/login?next={path}", path
    assert with_key(console, switches, "/keys", name="more").status_code == 302


def test_R5_the_files_hold_no_key(console, admin):
    key = make_key(admin, read="on")
    with_key(console, key)
    secret = key.split("_")[2]
    files = {path.name: path.read_bytes() for path in console.data.iterdir() if path.is_file()}
    assert "keys.json" in files
    assert not [name for name, text in files.items() if secret.encode() in text]
    assert secret not in console.output()


def test_a_key_has_an_end_when_it_is_asked_for(admin):
    make_key(admin, "a month", days="30")
    make_key(admin, "a year", days="365")
    page = admin.get("/keys").text
    assert "Ends in 29 days" in page or "Ends in 30 days" in page
    assert "Ends in 364 days" in page or "Ends in 365 days" in page


def test_a_key_that_cannot_be_made_says_why(admin):
    for fields, says in (({"name": ""}, "1 to 64 characters"), ({"name": "x" * 65}, "1 to 64 characters"),
                         ({"name": "a\u202eb"}, "control characters"), ({}, "1 to 64 characters"),
                         ({"name": "x", "days": "7"}, "30 days"), ({"name": "x", "days": "-1"}, "30 days")):
        answer = admin.post("/keys", data=fields)
        assert answer.status_code == 400 and says in answer.text, fields
    for _ in range(20):
        make_key(admin)
    answer = admin.post("/keys", data={"name": "one more"})
    assert answer.status_code == 400 and "revoke one first" in answer.text


def test_the_name_of_a_key_is_text_and_no_page(admin):
    make_key(admin, "<script>alert(1)</script>{used}{id}")
    page = admin.get("/keys").text
    assert "<b>&lt;script&gt;alert(1)&lt;/script&gt;{used}{id}</b>" in page


def test_strangers_and_remembered_browsers_make_and_revoke_no_keys(console, client):
    log_in(client, console.password, remember="on")
    key = make_key(client, read="on")
    for cookies in ({}, {"_remember": client.cookies["_remember"]}):
        with browser(console, cookies=cookies) as other:
            for answer in (other.get("/keys"), other.post("/keys", data={"name": "mine", "read": "on"}),
                           other.post("/keys/revoke", data={"id": key.split("_")[1]})):
                assert answer.status_code == 302 and answer.headers["location"].startswith("/login")
    assert with_key(console, key).status_code == 200


def test_keys_outlive_the_program(console, admin):
    key = make_key(admin, read="on")
    console.restart()
    assert with_key(console, key).status_code == 200


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
def test_a_key_counts_and_is_revoked_in_every_process(start_console, kind):
    console = start_console(kind)
    console.stop()  # now that there is an account
    password = console.password
    console.add_arguments("--workers", "3")
    console.start()
    with browser(console) as client:
        log_in(client, password)
        key = make_key(client, read="on")
        assert {with_key(console, key).status_code for _ in range(12)} == {200}
        client.post("/keys/revoke", data={"id": key.split("_")[1]})
        assert {with_key(console, key).status_code for _ in range(12)} == {401}


# --- remembered -----------------------------------------------------------------------------------

def test_a_remembered_browser_is_let_in_but_not_to_the_password(console, client):
    log_in(client, console.password, remember="on")
    remember = client.cookies["_remember"]
    with browser(console, cookies={"_remember": remember}) as later:
        assert later.get("/").status_code == 200
        assert "session" in later.cookies
        assert later.get("/account/password").headers["location"] == "/login?next=/account/password"
        change = change_password(later, console.password, NEW)
        assert change.headers["location"].startswith("/login")
    assert log_in(client, NEW).status_code == 401


def test_without_the_tick_nothing_outlives_the_browser(console, client):
    log_in(client, console.password)
    assert "_remember" not in client.cookies


# --- getting out ----------------------------------------------------------------------------------

def test_a_logout_ends_the_session_and_every_copy_of_its_cookies(console, client):
    log_in(client, console.password, remember="on")
    stolen = dict(client.cookies)
    assert set(stolen) == {"session", "_remember"}
    answer = client.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert not dict(client.cookies)
    for name in stolen:
        replayed = with_cookies(console, {name: stolen[name]})
        assert replayed.headers["location"] == REFUSED, name
        assert "set-cookie" not in replayed.headers or "Max-Age=0" in cookie_line(replayed, name)
    assert with_cookies(console, stolen).headers["location"] == REFUSED


def test_the_other_browser_stays_logged_in(console, admin):
    with browser(console) as other:
        log_in(other, console.password)
        other.post("/logout")
    assert admin.get("/").status_code == 200


def test_a_logout_needs_no_login(client):
    assert client.post("/logout").headers["location"] == "/login"


def test_a_link_logs_nobody_out(admin):
    assert admin.get("/logout").status_code == 405
    assert admin.get("/").status_code == 200


# --- what stays -----------------------------------------------------------------------------------

def test_accounts_and_sessions_outlive_the_program(console, admin):
    password = console.password
    change_password(admin, password, NEW)
    console.restart()
    assert admin.get("/").status_code == 200
    with browser(console) as other:
        assert log_in(other, password).status_code == 401
        assert log_in(other, NEW).status_code == 302
    assert console.output().count("type this code: ") == 1


def test_a_logout_outlives_the_program(console, client):
    log_in(client, console.password, remember="on")
    stolen = dict(client.cookies)
    client.post("/logout")
    console.restart()
    for name in stolen:
        answer = with_cookies(console, {name: stolen[name]})
        assert answer.headers.get("location") == REFUSED, name


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
def test_V3_several_processes_have_one_code_and_one_owner_and_share_the_sessions(
        start_console, kind):
    console = start_console(kind, arguments=["--workers", "3"], claim=False)
    deadline = time.monotonic() + 20
    while console.output().count("type this code") < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    codes = re.findall(r"type this code: (\S+)", console.output())
    assert len(codes) == 3 and len(set(codes)) == 1

    def claim(name):
        with browser(console) as client:
            answer = client.post("/claim", data={"code": codes[0], **OWNER, "username": name})
            return answer.status_code, answer.headers.get("location"), dict(client.cookies)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(claim, [f"admin{i}" for i in range(6)]))
    winners = [cookies for status, location, cookies in answers if (status, location) == (302, "/")]
    assert len(winners) == 1, answers
    assert {status for status, *_ in answers} <= {302, 404, 405, 409}, answers
    assert {with_cookies(console, winners[0]).status_code for _ in range(12)} == {200}
    assert len(FileUsers(str(console.data / "users.json"))) == 1


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
def test_several_processes_share_the_sessions_and_their_end(start_console, kind):
    console = start_console(kind, arguments=["--workers", "3"])
    with browser(console) as client:
        assert log_in(client, console.password).status_code == 302
        session = dict(client.cookies)
        assert {with_cookies(console, session).status_code for _ in range(12)} == {200}
        change_password(client, console.password, NEW)
        assert {with_cookies(console, session).status_code for _ in range(12)} == {302}
        assert {with_cookies(console, client.cookies).status_code for _ in range(12)} == {200}


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
def test_a_logout_counts_in_every_process(start_console, kind):
    console = start_console(kind)
    console.stop()  # now that there is an account
    password = console.password
    console.add_arguments("--workers", "3")
    console.start()
    with browser(console) as client:
        log_in(client, password)
        stolen = dict(client.cookies)
        client.post("/logout")
    assert {with_cookies(console, stolen).status_code for _ in range(12)} == {302}


def test_the_files_hold_no_password(console, admin):
    secrets = [console.password, NEW]
    for password in secrets:
        files = {path.name: path.read_bytes() for path in console.data.iterdir() if path.is_file()}
        assert {"users.json", "secret.key"} <= set(files)
        for name, text in files.items():
            assert not [s for s in secrets if s.encode() in text], name
        assert b"pbkdf2_sha256$" in files["users.json"]
        change_password(admin, password, NEW)


def test_nobody_else_on_the_machine_reads_the_files(console, admin, kind):
    if kind == "builtin-micropython":
        # Its unix port has no chmod, no umask and no modes for open(): the folder has to guard.
        expected = 0o666 & ~_umask()
    else:
        expected = 0o600
    change_password(admin, console.password, NEW)
    for name in ("users.json", "secret.key"):
        assert stat.S_IMODE((console.data / name).stat().st_mode) == expected, name


def _umask():
    with open("/proc/self/status") as status:
        return int(re.search(r"Umask:\s*(\d+)", status.read()).group(1), 8)


def test_what_was_typed_stays_out_of_the_log(console, admin):
    change_password(admin, console.password, NEW)
    log_in(admin, "a password that is wrong")
    said = console.output()
    assert console.password not in said
    assert NEW not in said
    assert "a password that is wrong" not in said
    assert admin.cookies["session"] not in said

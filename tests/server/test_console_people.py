"""The console for several people over real HTTP, on every server and both Pythons: accounts, second factors, acting for
others and what happened; and the console that lacks the files for it."""

import re
import shutil

import pytest

from dotlatch.portable import now
from dotlatch.totp import Totp
from dotlatch.users import FileUsers
from tests.server.client import browser, log_in, with_cookies
from tests.server.conftest import CONSOLE, Server, command_for, environment_for

HERS = "copper ladder on a green barn"
PROGRAM = {"Accept": "application/json"}


@pytest.fixture
def admin(console):
    with browser(console) as client:
        assert log_in(client, console.password).status_code == 302
        yield client


@pytest.fixture
def anna(console, admin):
    """A browser in which anna is logged in, who may read the figures."""
    add(admin, "anna", read="on")
    with browser(console) as client:
        assert log_in(client, HERS, username="anna").status_code == 302
        yield client


def add(client, name, password=HERS, **scopes):
    answer = client.post("/people", data={"name": name, "password": password, **scopes})
    assert (answer.status_code, answer.headers["location"]) == (303, "/people"), answer.text


def id_of(client, name):
    page = client.get("/people").text
    return re.search(rf'<b>{re.escape(name)}</b>.*?value="([^"]+)"', page, re.DOTALL).group(1)


def act_for(client, name):
    return client.post("/people/act", data={"id": id_of(client, name)})


def happened(client):
    """What the page says happened, the newest first: `('login', 'admin', 'just now: password, 127.0.0.1')`."""
    page = client.get("/audit").text
    return re.findall(r'<p><b>(.*?)</b> (.*?)<br><span class="soft">(.*?)</span></p>', page)


# --- accounts -------------------------------------------------------------------------------------

def test_somebody_who_was_added_may_do_what_was_ticked(console, admin, anna):
    page = anna.get("/").text
    assert "Logged in as anna." in page and 'id="temperature"' in page
    assert "Switch the light" not in page and "/people" not in page and "/audit" not in page
    assert anna.get("/figures").status_code == 200
    assert anna.post("/light", data={"light": "on"}).status_code == 403
    for path in ("/people", "/audit"):
        assert anna.get(path).status_code == 403, path
    for path in ("/people", "/people/switch", "/people/act"):
        assert anna.post(path, data={"id": id_of(admin, "anna"), "name": "more", "password": HERS}).status_code == 403
    assert admin.get("/figures").json()["light"] == "off"
    assert "more" not in admin.get("/people").text


def test_somebody_who_may_do_nothing_sees_nothing_of_the_device(console, admin):
    add(admin, "guest")
    with browser(console) as guest:
        log_in(guest, HERS, username="guest")
        page = guest.get("/").text
        assert "Logged in as guest." in page
        assert "temperature" not in page and "Switch the light" not in page and "<script" not in page
        assert guest.get("/figures", headers=PROGRAM).status_code == 403


def test_an_account_that_cannot_be_made_says_why(admin, anna):
    for name, password, says in (("anna", HERS, "that name is taken"), ("ANNA", HERS, "that name is taken"),
                                 ("", HERS, "name"), ("x" * 65, HERS, "64"), ("bert", "too short", "15 characters"),
                                 ("bert", "greenhouse console", "a name that others know")):
        answer = admin.post("/people", data={"name": name, "password": password})
        assert answer.status_code == 400 and says in answer.text, (name, password)
    assert "bert" not in admin.get("/people").text


def test_a_name_is_text_and_no_page(admin):
    add(admin, "<i>{user}</i>")
    for path in ("/people", "/audit"):
        page = admin.get(path).text
        assert "&lt;i&gt;{user}&lt;/i&gt;" in page and "<i>" not in page, path


def test_a_switched_off_account_is_out_at_once_and_outlives_the_program(console, admin, anna):
    user = {"id": id_of(admin, "anna")}
    assert admin.post("/people/switch", data=user).headers["location"] == "/people"
    assert "not active" in admin.get("/people").text
    assert anna.get("/").headers["location"] == "/login?next=/"
    console.restart()
    assert log_in(anna, HERS, username="anna").status_code == 401
    assert admin.post("/people/switch", data=user).headers["location"] == "/people"
    assert "not active" not in admin.get("/people").text
    assert log_in(anna, HERS, username="anna").status_code == 302


def test_nobody_switches_off_the_account_in_use(console, admin, anna):
    mine = FileUsers(str(console.data / "users.json")).get_by_name("admin").id
    assert admin.post("/people/switch", data={"id": mine}).status_code == 303
    assert admin.get("/").status_code == 200 and "not active" not in admin.get("/people").text
    for unknown in ("nobody", "", "../x"):
        assert admin.post("/people/switch", data={"id": unknown}).status_code == 303
        assert admin.post("/people/act", data={"id": unknown}).status_code == 403
    assert admin.post("/people/act", data={"id": mine}).status_code == 403


# --- acting for others ----------------------------------------------------------------------------

def test_who_acts_for_somebody_is_that_one_until_he_stops(console, admin, anna):
    assert act_for(admin, "anna").headers["location"] == "/"
    page = admin.get("/").text
    assert "You act for <b>anna</b>, and are admin." in page and "Logged in as anna." in page
    assert admin.post("/light", data={"light": "on"}).status_code == 403  # she may not
    for path in ("/account", "/account/password", "/account/second", "/keys", "/people", "/audit"):
        answer = admin.get(path)
        assert answer.status_code == 403 and "You act for <b>anna</b>" in answer.text, path
        assert "<" not in admin.get(path, headers=PROGRAM).text, path
    assert "You act for <b>anna</b>" in admin.get("/nowhere").text
    assert admin.post("/people/stop").headers["location"] == "/"
    page = admin.get("/").text
    assert "Logged in as admin." in page and "You act for" not in page
    assert admin.get("/people").status_code == 200
    assert "You act for" not in anna.get("/").text


def test_acting_outlives_the_program_and_ends_with_the_right_to(console, admin, anna):
    act_for(admin, "anna")
    console.restart()
    assert "You act for <b>anna</b>" in admin.get("/").text
    users = FileUsers(str(console.data / "users.json"))
    console.stop()
    users.set_scopes(users.get_by_name("admin"), ["read", "light"])
    console.start()
    assert admin.get("/").headers["location"] == "/login?next=/"


def test_what_happened_is_told_with_both_names_and_nothing_secret(console, admin, anna):
    act_for(admin, "anna")
    admin.post("/people/stop")
    log_in(anna, "a password that is wrong", username="anna")
    log_in(anna, "a password that is wrong", username="nobody of that name")
    events = happened(admin)
    assert [event[:2] for event in events] == [
        ("login failed", ""), ("login failed", "anna"), ("impersonation ended", "anna by admin"),
        ("impersonation started", "anna by admin"), ("login", "anna"), ("user created", "anna"), ("login", "admin"),
        ("logout", "admin"), ("login", "admin"), ("claimed", "admin"), ("user created", "admin")]
    assert [event[2] for event in events[-3:-1]] == [
        "just now: password, 127.0.0.1", "just now: code, 127.0.0.1"]
    page = admin.get("/audit").text
    assert "a password that is wrong" not in page and "nobody of that name" not in page


# --- second factors -------------------------------------------------------------------------------

def second_factor(client):
    """Set one up, and return its key and the recovery codes."""
    page = client.get("/account/second").text
    secret = re.search(r"<code>([A-Z2-7 ]+)</code>", page).group(1).replace(" ", "")
    answer = client.post("/account/second", data={"code": code(secret, -1)})
    assert answer.status_code == 200, answer.text
    return secret, re.findall(r"<li><code>(.*?)</code>", answer.text)


def code(secret, steps=0):
    return Totp(secret).code_at(now() // 30 + steps)


def test_O2_a_code_opens_once_and_not_again_after_a_restart(console, admin):
    secret, codes = second_factor(admin)
    right = code(secret)
    with browser(console) as client:
        answer = log_in(client, console.password)
        assert answer.headers["location"].startswith("/login/code")
        assert client.get("/").headers["location"] == "/login/code?next=/"
        assert client.get("/figures", headers=PROGRAM).status_code == 401
        assert client.post("/login/code", data={"code": right}).headers["location"] == "/"
        assert client.get("/").status_code == 200
    password = console.password
    console.restart()
    with browser(console) as client:
        log_in(client, password)
        for again in (right, code(secret, -1)):
            assert client.post("/login/code", data={"code": again}).status_code == 401
        assert client.post("/login/code", data={"recovery": codes[0]}).headers["location"] == "/"
        client.post("/logout")
        log_in(client, password)
        assert client.post("/login/code", data={"recovery": codes[0]}).status_code == 401
        assert client.get("/").headers["location"] == "/login/code?next=/"


def test_a_second_factor_logs_out_every_other_browser(console, admin):
    with browser(console) as other:
        log_in(other, console.password, remember="on")
        second_factor(admin)
        assert other.get("/").headers["location"] == "/login?next=/"
    assert admin.get("/").status_code == 200


def test_O6_the_files_hold_no_session_and_no_recovery_code(console, admin):
    _, codes = second_factor(admin)
    log_in(admin, console.password, remember="on")
    admin.post("/login/code", data={"recovery": codes[0]})
    assert admin.get("/").status_code == 200
    secrets = [value.split(".")[1] for value in admin.cookies.values()]  # the rest is the name of the file
    assert len(secrets) == 2
    secrets += [form for text in codes for form in (text, text.replace("-", ""))]
    files = {str(path): path.read_bytes() for path in console.data.rglob("*") if path.is_file()}
    assert any("/sessions/" in name for name in files)
    for name, content in files.items():
        assert not [secret for secret in secrets if secret.encode() in content], name
    assert not [secret for secret in secrets if secret in console.output()]


# --- sessions -------------------------------------------------------------------------------------

def test_a_login_that_the_account_page_ends_is_worth_nothing(console, admin):
    with browser(console, headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"}) as other:
        log_in(other, console.password)
        stolen = dict(other.cookies)
        row = re.search(r"Firefox, Windows.*?</div>", admin.get("/account").text, re.DOTALL).group(0)
        ended = re.search(r'name="end" value="([^"]+)"', row).group(1)
        assert admin.post("/account/end", data={"end": ended}).headers["location"] == "/account"
        assert other.get("/").headers["location"] == "/login?next=/"
    console.restart()
    assert with_cookies(console, stolen).headers["location"] == "/login?next=/"
    assert admin.get("/").status_code == 200


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn"])
def test_who_is_added_switched_off_or_logged_out_is_so_in_every_process(start_console, kind):
    console = start_console(kind)
    console.stop()  # now that there is an account
    password = console.password
    console.add_arguments("--workers", "3")
    console.start()
    with browser(console) as admin, browser(console) as anna:
        log_in(admin, password)
        add(admin, "anna", read="on")
        assert log_in(anna, HERS, username="anna").status_code == 302
        hers = dict(anna.cookies)
        assert {with_cookies(console, hers, "/figures").status_code for _ in range(12)} == {200}
        act_for(admin, "anna")
        both = dict(admin.cookies)
        assert all("You act for <b>anna</b>" in with_cookies(console, both).text for _ in range(12))
        admin.post("/people/stop")
        admin.post("/people/switch", data={"id": id_of(admin, "anna")})
        assert {with_cookies(console, hers).status_code for _ in range(12)} == {302}
        # The counts of failures are each process's own, and one that found a file begins near its first wait: 429.
        answers = {log_in(anna, HERS, username="anna").status_code for _ in range(6)}
        assert 401 in answers and answers <= {401, 429}


# --- a console that lacks files -------------------------------------------------------------------

@pytest.fixture
def start_part(servers, tmp_path):
    """`start_part(kind, 'main.py', ...)`: the console with these of its files alone, as on a board."""
    def start(kind, *files):
        folder, data = tmp_path / "part", tmp_path / "data"
        folder.mkdir()
        data.mkdir()
        for name in files:
            shutil.copy(CONSOLE / name, folder)
        servers.append(Server(kind, command_for(kind, "main.py", "", ""), folder, data, environment_for(kind)))
        servers[-1].start()
        return servers[-1].claim()
    return start


TWO_PYTHONS = pytest.mark.parametrize("kind", ["builtin-cpython", "builtin-micropython"])


@TWO_PYTHONS
def test_without_people_there_are_device_account_and_keys(start_part, kind):
    console = start_part(kind, "main.py", "keys.py")
    with browser(console) as client:
        log_in(client, console.password)
        page = client.get("/").text
        assert "/keys" in page and "/people" not in page and "/audit" not in page
        account = client.get("/account")
        assert account.status_code == 200 and "Second factor" not in account.text
        assert "Log out everywhere else" in account.text
        assert client.get("/keys").status_code == 200
        for path in ("/people", "/audit", "/account/second", "/login/code"):
            assert client.get(path).status_code == 404, path
        with browser(console) as other:
            log_in(other, console.password)
            client.post("/account/end", data={"end": "others"})
            assert other.get("/").headers["location"] == "/login?next=/"
        assert client.get("/").status_code == 200
    assert not (console.data / "sessions").exists()


@TWO_PYTHONS
def test_main_alone_is_a_console_for_one_without_keys(start_part, kind):
    console = start_part(kind, "main.py")
    with browser(console) as client:
        log_in(client, console.password)
        assert "/keys" not in client.get("/").text
        assert client.get("/keys").status_code == 404
        assert client.post("/light", data={"light": "on"}).status_code == 303
        assert client.get("/figures").json()["light"] == "on"
    with browser(console) as stranger:
        assert stranger.get("/figures", headers=PROGRAM).status_code == 401

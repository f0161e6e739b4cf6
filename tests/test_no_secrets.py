"""H3: a secret in any output fails the test that let it out. Each channel has a leak planted here."""

import asyncio
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from dotlatch import apikeys, passwords, portable, recovery, tokens, totp
from tests.harness import leaks, watch
from tests.harness.interpreters import ROOT, all_variants

# In pieces: this file is one of those whose secrets are looked for.
WORD = "planted " + "secret " + "words"
COOKIE = "s3cr3tOfTheSession" + "0123"

CONFTEST = """\
from pathlib import Path
from tests.harness import leaks, portable
portable.FOLDER = Path(__file__).parent / "portable"
leaks.register("planted " + "secret " + "words")
from tests.conftest import *
"""

PORTABLE = """\
from microdot import Microdot, Request
from microdot.test_client import TestClient
from dotlatch.events import Events

WORD = 'planted ' + 'secret ' + 'words'
COOKIE = {'Cookie': 'session=s3cr3tOfTheSession' + '0123'}

class Shown:
    def __repr__(self):
        return 'Shown(' + WORD + ')'

Shown.__module__ = 'dotlatch.shown'

app = Microdot()

@app.post('/echo/<int:status>')
def echo(request, status):
    return request.body.decode() + request.headers.get('Cookie', ''), status

@app.post('/boom')
def boom(request):
    raise ValueError(request.form['password'])

@app.post('/object')
def show(request):
    request.g.shown = Shown()
    return ''

@app.get('/set')
def set_cookie(request):
    return 'ok', 200, {'Set-Cookie': 'session=s3cr3tOfTheSession' + '0123; Path=/'}

async def send(path, word=WORD, headers=None):
    headers = headers or {'Content-Type': 'application/x-www-form-urlencoded'}
    return await TestClient(app).post(path, headers=headers, body='password=' + word.replace(' ', '+'))

async def test_good():
    print('figure: 1 of 1')
    Events().emit('login_failed', name='anna')
    assert (await send('/echo/200')).status_code == 200
    assert (await send('/echo/403', 'x')).status_code == 403
def test_leak_print():
    print('it is', WORD)
async def test_leak_print_of_what_was_sent():
    await send('/echo/200', 'another thing to keep')
    print('another thing to keep')
async def test_leak_traceback():
    assert (await send('/boom', 'a third thing to keep')).status_code == 500
async def test_leak_body():
    assert (await send('/echo/404', headers=COOKIE)).status_code == 404
async def test_leak_event():
    await send('/echo/200')
    Events().emit('login_failed', name=WORD.upper().lower())
async def test_leak_event_with_a_cookie_that_was_set():
    await TestClient(app).get('/set')
    Events().emit('session_ended', reason='s3cr3tOfTheSession' + '0123')
def test_leak_event_with_a_hash():
    Events().emit('login_failed', reason='pbkdf2_sha256$1000$c2FsdA$' + 40 * 'a')
"""

REPR = """
async def test_leak_repr():
    await send('/object')
"""

PLAIN = """\
import http.server, logging, subprocess, sys, threading
import httpx
import pytest
import tests.board.pico
from dotlatch.events import Events
from tests.harness import watch

WORD = 'planted ' + 'secret ' + 'words'
SAY = [sys.executable, '-c', 'print("planted", "secret", "words")']

class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:]))
        self.end_headers()
        self.wfile.write(self.headers.get('Cookie', '').encode())
    def log_message(self, *args):
        pass

@pytest.fixture
def server():
    with http.server.HTTPServer(('127.0.0.1', 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}/'
        server.shutdown()

def get(url):
    httpx.get(url, headers={'Cookie': 'session=s3cr3tOfTheSession' + '0123'}, trust_env=False)

def test_good(server, tmp_path):
    print('hello')
    get(server + '200')
    assert subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout == b'1\\n'
def test_leak_stdout():
    print('it is', WORD)
def test_leak_stderr():
    print('it is', WORD, file=sys.stderr)
def test_leak_logging():
    logging.getLogger('x').warning('it is %s', WORD)
def test_leak_of_a_process_that_is_run():
    subprocess.run(SAY, capture_output=True)
def test_leak_of_a_process_that_prints_here():
    subprocess.run(SAY)
def test_leak_of_a_log(tmp_path):
    with open(tmp_path / 'log', 'wb') as log:
        subprocess.Popen(SAY, stdout=log).wait()
def test_leak_of_a_server(server):
    get(server + '404')
def test_leak_of_an_event_here():
    watch.learn(WORD)
    Events().emit('login_failed', name=WORD)
def test_leak_on_a_board():
    pico = tests.board.pico.Pico()
    pico.printed += b'it is ' + WORD.encode()
    pico.power_off()
@pytest.fixture
def late():
    yield
    print('it is', WORD)
def test_leak_when_it_ends(late):
    pass
def test_leak_of_a_test_that_fails():
    print('it is', WORD)
    assert 0
"""


def run(folder, **files):
    (folder / "portable").mkdir()
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT} {ROOT / 'src'}\n")
    for name, source in files.items():
        (folder / name.replace("__", "/")).with_suffix(".py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", folder],
        capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def names_in(source):
    return set(re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE))


def failed(output, word="FAILED|ERROR"):
    return set(re.findall(rf"^(?:{word}) \S+::(test_\w+(?:\[[\w.-]+\])?)", output, re.MULTILINE))


def test_H3_a_leak_in_any_channel_fails_its_test_and_the_run(tmp_path):
    code, output = run(tmp_path, test_plain=PLAIN)
    assert code == 1, output
    assert failed(output) == names_in(PLAIN) - {"test_good"}, output
    assert "a secret came out" in output


def test_H3_a_leak_on_any_python_fails_its_test_and_the_run(tmp_path):
    code, output = run(tmp_path, portable__test_both=PORTABLE)
    assert code == 1, output
    leaking = names_in(PORTABLE) - {"test_good"}
    assert failed(output) == {f"{name}[{v.name}]" for name in leaking for v in all_variants()}, output


def test_H3_a_repr_that_tells_fails_its_test(tmp_path):
    _, output = run(tmp_path, portable__test_repr=PORTABLE.split("async def test_good")[0] + REPR)
    assert {"test_leak_repr[cpython]"} <= failed(output), output


def test_H3_what_comes_out_after_the_last_test_fails_the_run(tmp_path):
    late = ("import subprocess, sys, threading\n"
            "def test_late(tmp_path_factory):\n"
            "    log = open(tmp_path_factory.mktemp('late') / 'log', 'ab')\n"
            "    subprocess.Popen([sys.executable, '-c', ''], stdout=log).wait()\n"
            "    global keep\n    keep = log\n"
            "def teardown_module():\n    pass\n")
    hook = ("import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_sessionfinish(session):\n"
            "    test = next(iter(session.items)).module\n"
            "    test.keep.write(b'planted ' + b'secret ' + b'words')\n    test.keep.close()\n")
    (tmp_path / "late_plugin.py").write_text(hook)
    code, output = run(tmp_path, test_late=late, conftest=CONFTEST + "pytest_plugins = ['late_plugin']\n")
    assert code == 1, output
    assert "1 passed" in output and "after the last test" in output, output


def test_H3_a_run_without_a_leak_passes(tmp_path):
    good = PORTABLE[:PORTABLE.index("def test_leak_print()")]
    code, output = run(tmp_path, portable__test_both=good, test_plain=PLAIN[:PLAIN.index("def test_leak_stdout")])
    assert code == 0, output


def test_H3_what_tells_of_a_leak_does_not_tell_the_secret(tmp_path):
    quiet = PLAIN.replace("    assert 0\n", "")
    code, output = run(tmp_path, test_plain=quiet)
    told = [line for line in output.splitlines() if re.match(r"\s*in .*: ", line)]
    assert code == 1 and len(told) >= 10, output
    assert not [line for line in told if WORD in line or COOKIE in line], told


def made_by_dotlatch():
    """Each kind of secret, as the code that hands it out makes it."""
    codes, _ = recovery.make(1)
    secret = totp.new_secret()
    return {
        "token": tokens.encode({"jti": "x"}, portable.Key("k" * 32)),
        "signed link's token": tokens.encode({}, portable.Key("k" * 32), "link+jwt"),
        "hash": asyncio.run(passwords.hash_password("not very long", 1)),
        "API key": apikeys.make("greenhouse")[0],
        "session": portable.random_id() + "." + portable.random_id(),
        "TOTP secret": secret,
        "TOTP uri": totp.Totp(secret).uri("anna", "Greenhouse"),
        "recovery code": codes[0],
        "password": passwords_of_tests()[0],
    }


def passwords_of_tests():
    return leaks.passwords()


@pytest.mark.parametrize("kind", made_by_dotlatch())
def test_H3_every_kind_of_secret_is_known_by_its_form(kind):
    for _ in range(50 if kind not in ("hash", "password") else 1):
        secret = made_by_dotlatch()[kind]
        for text in (f"it is {secret}", f"Cookie: a={secret}; b=1", f"['{secret}']", secret):
            found = leaks.leaks_in(text)
            assert found, (kind, text[:9])
            assert secret not in "".join(found)


def test_H3_what_is_no_secret_is_not_taken_for_one():
    for text in ("GET /static/app.js HTTP/1.1 200", str(ROOT / "tests" / "harness" / "watch.py"), "1.29.0-preview",
                 "user_removed user=7 name=anna", secrets.token_hex(8), "File \"/tmp/pytest-of-root/pytest-0/x/y.py\"",
                 "2026-01-01 12:00:00,123 - INFO - 127.0.0.1:45678", portable.random_id()):
        assert leaks.leaks_in(text) == []


def test_H3_the_tests_passwords_are_found_in_their_sources():
    assert {"correct horse" + " battery staple", "seven green" + " bottles"} <= set(leaks.passwords())


def test_H3_what_may_come_out_has_a_reason():
    for start, part, _, reason in leaks.ALLOWED:
        assert (ROOT / start.partition("::")[0]).exists() and part and len(reason.split()) > 5, start


def test_H3_only_these_classes_have_a_repr_of_their_own_and_none_tells_a_secret():
    """An object without one is shown as its type and address: whoever adds one adds it here."""
    key_text, key_id, hashed = apikeys.make("dl")
    secret = totp.new_secret()
    from dotlatch.server.board.copying import Change
    from dotlatch.server.board.deploying import Plan
    from dotlatch.server.board.facts import Facts
    from dotlatch.server.board.frozen import Frozen
    from dotlatch.server.board.needs import Needs
    from dotlatch.server.cli.talk import Answer
    from dotlatch.users import User
    from dotlatch.usertoken import UserToken
    needs = Needs(["login"], ["microdot"], ["login"], {Path("main.py"): "/main.py"})
    facts = Facts("1.26.1", "Pico", (6, 3), "armv6m", 240000, 200000, 1 << 20, 1 << 19, 4096, "/lib", "/", None)
    change = Change({"/main.py": f"SECRET_KEY = {key_text!r}".encode()}, ["/main.py"], [])
    shown = {
        "totp.py": repr(totp.Totp(secret)),
        "on_cpython.py": repr(portable.Key("k" * 32)),
        "users.py": repr(User("7", "anna", "pbkdf2_sha256$1$" + 22 * "s" + "$" + 43 * "h", digest_ha1="h" * 43,
                              totp="SHA1$6$" + secret, recovery="h" * 43)),
        "apikeys.py": repr(apikeys.APIKey(key_id, "7", "a", (), hashed)),
        "usertoken.py": repr(UserToken(User("7", "anna", password_hash="h" * 43), "FRESH")),
        "talk.py": repr(Answer({"key": key_text}, [key_text])),
        "needs.py": repr(needs),
        "frozen.py": repr(Frozen("dotlatch", "0.1.0", frozenset(["session"]))),
        "facts.py": repr(facts),
        "copying.py": repr(change),
        "deploying.py": repr(Plan(None, facts, needs, change, None, False)),
    }
    folder = ROOT / "src" / "dotlatch"
    with_repr = {path.name for path in folder.rglob("*.py")
                 if re.search(r"def __(repr|str|format)__|namedtuple|dataclass", path.read_text())}
    assert with_repr == set(shown)
    for text in shown.values():
        assert leaks.leaks_in(text) == []
        assert not [part for part in (secret, key_text[-32:], hashed, "k" * 32, "h" * 43) if part in text], text


def test_H3_a_process_of_ours_tells_of_its_own_leaks(monkeypatch):
    """Servers print what they find; who reads the log fails the test."""
    found = []
    monkeypatch.setattr(leaks, "_add", lambda *finding: found.append(finding))
    leaks.check("uvicorn", f"hello\n{watch.LEAK}an event: 'login name=plan***'\n", "a test")
    assert found == [("a test", "uvicorn", f"{watch.LEAK}an event: 'login name=plan***'")]


def test_H3_a_server_looks_into_its_own_app(tmp_path):
    (tmp_path / "served.py").write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "from microdot import Microdot\nfrom microdot.test_client import TestClient\nimport asyncio\n"
        "app = Microdot()\n"
        "@app.get('/')\ndef echo(request):\n    return request.headers['Cookie'], 404\n"
        "asyncio.run(TestClient(app).get('/', headers={'Cookie': 'session=s3cr3tOf' + 'TheSession0123'}))\n")
    done = subprocess.run(
        [sys.executable, tmp_path / "served.py"], stdout=(tmp_path / "log").open("wb"), check=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT / "tests" / "harness" / "site")))
    log = (tmp_path / "log").read_text()
    (tmp_path / "log").write_text("")  # it is this test's own
    assert done.returncode == 0
    assert log.startswith(watch.LEAK + "the body of a 404: ") and COOKIE not in log

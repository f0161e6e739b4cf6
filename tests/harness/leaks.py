"""No secret in any output of a test run: what was printed, logged, told as an event or sent with an error.

Each test is held to it, in all that it makes others say:

- what it printed and logged itself, as pytest captured it;
- what each of its processes printed, through a pipe or into a log, on both Pythons, and an emulated board's console;
- events, bodies of errors and reprs in this process and in those that tests/harness/watch.py looks into;
- the answers above 400 that httpx and the tests' own sockets get from servers.

A test that leaks fails with its name and an excerpt that has the secret masked. What comes out when no test runs any
more fails the run.

A secret is what one of FORMS matches, a password of the tests' sources, what `register` was given, and whatever a
request or a response of this test carried as a credential (see tests/harness/watch.py).
"""
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from . import watch

ROOT = Path(__file__).resolve().parents[2]
FORMS = re.compile(
    r'eyJ[\w-]{5,}\.[\w-]{2,}\.[\w-]{10,}'                                   # a signed token
    r'|(?:pbkdf2_sha256\$\d+|\$pbkdf2-sha256\$\d+|\$argon2\w+\$v=\d+|\$2[aby])\$[^\s\'",;]{20,}'   # a password's hash
    r'|(?<![\w-])[\w-]{22}\.[\w-]{22}(?![\w-])'                               # a session's id and its secret
    r'|(?<!\w)[a-zA-Z0-9]{2,16}_[a-zA-Z0-9]{12}_[a-zA-Z0-9]{32}(?!\w)'        # an API key
    r'|otpauth://[^\s"]*secret=[A-Z2-7]{8,}'
    r'|(?<![A-Z2-7])[A-Z2-7]{32}(?![A-Z2-7])'                                 # a second factor's secret
    r'|(?<![\w-])[0-9A-HJKMNP-TV-Z]{4}(?:-[0-9A-HJKMNP-TV-Z]{4}){3}(?![\w-])'  # a recovery code
)
PASSWORDS = re.compile(r'''\b[A-Z_]*PASSWORD[A-Z_]*\s*=\s*(["'])(.{8,64}?)\1''')

# By design: (what the test's id begins with, what is taken out of its output before it is searched, how often (0: each
# time), why).
ALLOWED = (
    ('tests/server/', r'([?&]ticket=)eyJ[\w.-]+', 0,
     'Browsers can send a ticket in the address only, and servers log that: it opens one socket, within 30 s.'),
    ('tests/server/test_websocket_sse.py', r'POST /revoke/\S+', 0,
     'The app of these tests revokes a token that is named by its address, to end what it has opened.'),
    ('tests/server/test_hostile.py', r'Invalid HTTP Header: [^\n]*', 0,
     'gunicorn sends a header that is none back to who sent it, before any app is asked.'),
    ('tests/board/test_console.py', r'<code>console_\w+</code>', 0,
     'The browser on the board prints the pages that it gets, one of which shows a new API key.'),
    ('', r'type this code: [0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}\b', 0,
     'A device without an owner prints the code for claiming it, where only who is at the device reads it.'),
)

_registered = []
_findings = []     # (the test, where, a masked excerpt)
_logs = {}         # path of a file that a process writes to: how far it was read
_test = None


def register(secret):
    """Have the whole run searched for a secret that has no form of its own."""
    _registered.append(secret)


@cache
def passwords():
    """Those that the tests log in with, by the names they have in their sources, and the examples' ones."""
    found = set()
    for folder in ('tests', 'examples'):
        for path in (ROOT / folder).rglob('*.py'):
            found.update(secret for _, secret in PASSWORDS.findall(path.read_text(errors='replace')))
    return tuple(sorted(found))


def leaks_in(text, known=()):
    """Masked excerpts of the secrets in a text, each once."""
    found = {match.group() for match in FORMS.finditer(text)}
    found.update(secret for secret in (*known, *passwords(), *_registered) if secret in text)
    return [watch.masked(text, secret) for secret in sorted(found)]


def check(where, text, test=None, known=None):
    """Hold a text against all secrets; what is found is told of the test, or of the one that runs now."""
    if not text:
        return
    text = text if isinstance(text, str) else bytes(text).decode(errors='replace')
    for start, pattern, count, _ in ALLOWED:
        if (test or _test or '').startswith(start):
            text = re.sub(pattern, '', text, count=count)
    for excerpt in leaks_in(text, watch.secrets() if known is None else known):
        _add(test or _test, where, excerpt)
    if watch.LEAK in text:  # by a process that watches itself
        for line in text.splitlines():
            if line.startswith(watch.LEAK):
                _add(test or _test, where, line)


def _add(test, where, excerpt):
    if (test, where, excerpt) not in _findings:
        _findings.append((test, where, excerpt))


def describe(found):
    lines = ['a secret came out'] + [f'in {where}: {excerpt}' for where, excerpt in found]
    return '\n    '.join(line.replace('\n', '\n    ') for line in lines)


# --- what processes say ---------------------------------------------------------------------------

communicate = subprocess.Popen.communicate   # for who holds what it returns against secrets himself
_start = subprocess.Popen.__init__


def _watched_start(self, *args, **kwargs):
    for name in ('stdout', 'stderr'):
        path = getattr(kwargs.get(name), 'name', None)
        if isinstance(path, str | os.PathLike):
            _logs.setdefault(str(path), os.path.getsize(path) if os.path.exists(path) else 0)
    _start(self, *args, **kwargs)


def _watched_communicate(self, *args, **kwargs):
    output = communicate(self, *args, **kwargs)
    for name, text in zip(('stdout', 'stderr'), output):
        check(f'{name} of {_name_of(self)}', text)
    return output


def _name_of(process):
    parts = process.args if isinstance(process.args, list | tuple) else [process.args]
    return ' '.join(os.path.basename(str(part)) for part in parts[:2])[:60]


def read_logs():
    """What processes have added to their logs since."""
    for path, start in list(_logs.items()):
        try:
            if not os.path.isfile(path):  # a device has no end
                raise OSError
            with open(path, 'rb') as log:
                log.seek(start)
                text = log.read()
        except OSError:  # it went with its folder, and was read before
            del _logs[path]
            continue
        _logs[path] = start + len(text)
        check(os.path.basename(path), text)


def _watch_board():
    """The console of an emulated board, before what it printed is forgotten."""
    module = sys.modules.get('tests.board.pico')
    if module is None or hasattr(module.Pico, 'forgets'):
        return
    module.Pico.forgets = True
    for name in ('power_off', 'reset'):
        setattr(module.Pico, name, _after_reading_the_console(getattr(module.Pico, name)))


def _after_reading_the_console(method):
    def watched(self, *args):
        check("the board's console", self.printed)
        self.printed.clear()
        return method(self, *args)
    return watched


# --- what servers answer --------------------------------------------------------------------------

def _watch_httpx():
    httpx = sys.modules.get('httpx')
    if httpx is None or hasattr(httpx, 'is_watched'):
        return
    httpx.is_watched = True
    read = httpx.Response.read

    def watched(self):
        body = read(self)
        request = getattr(self, '_request', None)
        if request is not None:
            _look(request.headers.items(), getattr(request, '_content', b''),
                  self.headers.get_list('set-cookie'), self.status_code, body)
        return body

    httpx.Response.read = watched


def _watch_sockets():
    module = sys.modules.get('tests.server.conftest')
    if module is None or hasattr(module.Server, 'is_watched'):
        return
    module.Server.is_watched = True
    exchange = module.Server.exchange

    def watched(self, request, *args, **kwargs):
        received = exchange(self, request, *args, **kwargs)
        _, sent, sent_body = _parts(request)
        line, got, body = _parts(received)
        status = re.match(r'HTTP/1\.. (\d{3})', line)
        cookies = [value for name, value in got if name.lower() == 'set-cookie']
        _look(sent, sent_body, cookies, int(status[1]) if status else 0, body)
        return received

    module.Server.exchange = watched


def _parts(message):
    head, _, body = message.partition(b'\r\n\r\n')
    line, *lines = head.decode('latin-1').split('\r\n')
    return line, [(name, value.strip()) for name, _, value in (line.partition(':') for line in lines)], body


def _look(request_headers, request_body, cookies, status, body):
    watch.learn_request(request_headers, request_body)
    watch.learn_cookies(cookies)
    if status >= 400:
        check(f'the body of a {status}', body)


# --- the run --------------------------------------------------------------------------------------

def install():
    if subprocess.Popen.__init__ is _start:
        subprocess.Popen.__init__ = _watched_start
        subprocess.Popen.communicate = _watched_communicate


def begin(item):
    global _test
    _test = item.nodeid
    watch.begin()
    watch.install()
    _watch_board()
    _watch_httpx()
    _watch_sockets()


def finish(report):
    """Fail the report of a test's end when anything of the test told a secret."""
    read_logs()
    for title, text in report.sections:
        check(title, text)
    for where, excerpt in watch.taken():
        _add(_test, where, excerpt)
    found = [(where, excerpt) for test, where, excerpt in _findings if test == report.nodeid]
    if found:
        _findings[:] = [finding for finding in _findings if finding[0] != report.nodeid]
        text = describe(found)
        report.longrepr = f'{report.longrepr}\n{text}' if report.failed else text
        report.outcome = 'failed'


def finish_run(session):
    global _test
    _test = 'after the last test'
    read_logs()
    if _findings and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def write(terminal):
    """What is left was found when its test had ended."""
    if _findings:
        terminal.section('secrets')
    for test, where, excerpt in _findings:
        terminal.line(f'{test}: {describe([(where, excerpt)])}', red=True)

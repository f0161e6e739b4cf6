"""A visitor for tests: one browser with its cookie jar, in front of an app that nobody serves.

    app = Microdot()
    Session(app, secret_key=KEY)
    browser = Client(app)
    res = await browser.get('/')              # what microdot.test_client gives, and res.cookies
    thief = browser.copy()                    # the same cookies, from now on in other hands
    browser.restart()                         # closed and opened: what had no Max-Age is gone

The jar does what browsers do and Microdot's own client does not: it keeps a cookie by name and path, takes the path
from the URL when the cookie names none, drops Secure and __Host- cookies where a browser would, and forgets only what
is cleared under its own path. Bytes that Microdot's server cannot read are a 400 here as they are there. It runs on
any Microdot: the scheme is put on the request, not passed to a client that may not know it.
"""
import binascii

from microdot import Microdot, Request
from microdot.microdot import AsyncBytesIO
from microdot.test_client import TestResponse

from dotlatch import portable
from dotlatch.session import Session

KEY = '0123456789abcdef0123456789abcdef'
OTHER_KEY = 'fedcba9876543210fedcba9876543210'
THIRD_KEY = 'a third key that has thirty-two bytes and more'
FORM = 'application/x-www-form-urlencoded'
JSON = 'application/json'


def make_app(**options):
    """An app with sessions; the options are Session's."""
    app = Microdot()
    options.setdefault('secret_key', KEY)
    Session(app, **options)
    return app


class Client:
    def __init__(self, app, https=False):
        self.app = app
        self.https = https
        self.jar = {}  # (name, path) -> (value, secure, kept when the browser closes)

    def copy(self, app=None):
        other = Client(app or self.app, self.https)
        other.jar = self.jar.copy()
        return other

    def restart(self):
        self.jar = {where: cookie for where, cookie in self.jar.items() if cookie[2]}

    def value(self, name):
        """The value of the one cookie of that name, or None."""
        found = [self.jar[where][0] for where in self.jar if where[0] == name]
        assert len(found) < 2, (name, self.jar)
        return found[0] if found else None

    def names(self):
        return sorted([name for name, _ in self.jar])

    def cookie_header(self, url):
        path = url.split('?')[0]
        fits = [(p, n) for n, p in self.jar if _path_matches(path, p) and (self.https or not self.jar[(n, p)][1])]
        fits.sort(key=lambda pair: -len(pair[0]))
        return '; '.join([name + '=' + self.jar[(name, p)][0] for p, name in fits])

    async def get(self, url, headers=None):
        return await self.request('GET', url, headers)

    async def post(self, url, headers=None, body=b'', form=None):
        if form is not None:
            headers = [('Content-Type', FORM)] + _pairs(headers)
            body = form
        return await self.request('POST', url, headers, body)

    async def texts(self, *urls):
        """What each of these pages says, one after the other."""
        texts = []
        for url in urls:
            texts.append((await self.get(url)).text)
        return texts

    async def request(self, method, url, headers=None, body=b''):
        """Send it; a header 'Cookie' among ``headers`` (a dict, or pairs) goes instead of the jar's."""
        lines = [method.encode() + b' ' + _bytes(url) + b' HTTP/1.1', b'Host: device.lan']
        given = _pairs(headers)
        if 'cookie' not in [name.lower() for name, _ in given]:
            jar = self.cookie_header(url)
            if jar:
                given.append(('Cookie', jar))
        body = _bytes(body)
        if body:
            given.append(('Content-Length', str(len(body))))
        for name, value in given:
            lines.append(name.encode() + b': ' + _bytes(value))
        reader = AsyncBytesIO(b'\r\n'.join(lines) + b'\r\n\r\n' + body)
        try:
            request = await Request.create(self.app, reader, AsyncBytesIO(b''), ('127.0.0.1', 1234))
        except Exception:  # as Microdot's server does it
            request = None
        if request:
            request.scheme = 'https' if self.https else 'http'
        answer = await self.app.dispatch_request(request)
        answer.complete()
        cookies = answer.headers.get('Set-Cookie', [])
        for cookie in cookies:
            self._keep(cookie, url.split('?')[0])
        response = await TestResponse.create(answer)
        response.cookies = cookies
        return response

    def _keep(self, line, path):
        name, value, options = parse_cookie(line)
        cookie_path = options.get('path') or path[:path.rfind('/')] or '/'
        secure = 'secure' in options
        if secure and not self.https:
            return
        if name.startswith('__Host-') and (not secure or options.get('path') != '/' or 'domain' in options):
            return
        if len(name) + len(value) > 4096:
            return
        if int(options.get('max-age', 1)) <= 0:
            self.jar.pop((name, cookie_path), None)
        else:
            self.jar[(name, cookie_path)] = (value, secure, 'max-age' in options)


def parse_cookie(line):
    """The name, the value and the attributes (lower case, '' where there is no value) of a Set-Cookie."""
    parts = line.split(';')
    name, value = parts[0].split('=', 1)
    options = {}
    for part in parts[1:]:
        attribute, _, text = part.strip().partition('=')
        assert attribute.lower() not in options, line
        options[attribute.lower()] = text
    return name, value, options


def _path_matches(path, cookie_path):
    return path == cookie_path or path.startswith(cookie_path if cookie_path.endswith('/') else cookie_path + '/')


def _pairs(headers):
    return list(headers.items()) if isinstance(headers, dict) else list(headers or [])


def _bytes(text):
    return text.encode() if isinstance(text, str) else text


# --- what tests of several files need ---------------------------------------------------------------

def b64(text):
    """Canonical base64 of bytes or text, as text."""
    return binascii.b2a_base64(_bytes(text))[:-1].decode()


def basic(username, password):
    return {'Authorization': 'Basic ' + b64(username + ':' + password)}


def bearer(token):
    return {'Authorization': 'Bearer ' + token}


def signed(header, payload, key=KEY):
    """A JWS of any header and payload at all, signed with the key."""
    text = portable.b64url_encode(_bytes(header)) + '.' + portable.b64url_encode(_bytes(payload))
    return text + '.' + portable.b64url_encode(portable.hmac_sha256(key, text.encode()))


class Warnings:
    """The warnings that were given inside a ``with``, as if none had been given before."""
    def __enter__(self):
        self.kept = portable.warn, portable._warned[:]
        self.given = []
        portable.warn = self.given.append
        portable._warned[:] = []
        return self.given

    def __exit__(self, *error):
        portable.warn = self.kept[0]
        portable._warned[:] = self.kept[1]


class AsyncCallable:
    """An object whose call is a coroutine."""
    def __init__(self, f):
        self.f = f

    async def __call__(self, *args, **kwargs):
        return await self.f(*args, **kwargs)


class SyncCallable:
    """An object whose call returns a coroutine without being one."""
    def __init__(self, f):
        self.f = f

    def __call__(self, *args, **kwargs):
        return self.f(*args, **kwargs)

    def method(self, *args, **kwargs):
        return self.f(*args, **kwargs)


def shapes(f):
    """Everything that can be called and gives what the coroutine function ``f`` gives."""
    async def plain(*args, **kwargs):
        return await f(*args, **kwargs)

    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)

    return [
        ('async def', plain),
        ('lambda', lambda *args, **kwargs: f(*args, **kwargs)),
        ('def that returns a coroutine', wrapper),
        ('partial', partial(f)),
        ('partial of a def', partial(wrapper)),
        ('object with async __call__', AsyncCallable(f)),
        ('object with __call__', SyncCallable(f)),
        ('bound method', SyncCallable(f).method),
    ]


try:
    from functools import partial
except ImportError:  # MicroPython has no functools
    def partial(f, *given):
        return lambda *args, **kwargs: f(*(given + args), **kwargs)


def raises(error, f, *args, **kwargs):
    """The exception that ``f`` raises: ``error`` or a child of it, and no other."""
    try:
        f(*args, **kwargs)
    except error as exc:
        return exc
    raise AssertionError('%r did not raise %s' % (args, error.__name__))

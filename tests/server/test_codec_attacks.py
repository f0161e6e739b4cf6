"""Session tokens of other libraries, several Cookie lines, and the list that processes share, under attack."""
import asyncio
import base64
import string
import time

import itsdangerous
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from microdot.asgi import Microdot
from microdot.test_client import TestClient as MicrodotClient

from dotlatch import portable, tokens
from dotlatch.login import Login
from dotlatch.revoked import Revoked
from dotlatch.server.jwt_codec import JWTCodec
from dotlatch.server.timed_codec import TimedCodec
from dotlatch.session import Session, with_session

KEY = '0123456789abcdef0123456789abcdef'
OTHER_KEY = 'fedcba9876543210fedcba9876543210'
ALPHABET = string.ascii_letters + string.digits + '-_'
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key()


@pytest.fixture
def warnings(monkeypatch):
    given = []
    monkeypatch.setattr(portable, 'warn', given.append)
    monkeypatch.setattr(portable, '_warned', [])
    return given


def app_of(remember=0, **options):
    app = Microdot()
    options.setdefault('secret_key', KEY)
    Session(app, **options)
    login = Login()

    @login.user_loader
    async def load(user_id):
        return {'id': user_id, 'password_hash': 'x'}

    @app.get('/show')
    @with_session
    async def show(request, session):
        return dict(session)

    @app.get('/delete')
    @with_session
    async def delete(request, session):
        session.delete()
        return 'deleted'

    @app.get('/login')
    async def log_in(request):
        return await login.login_user(request, {'id': 'anna', 'password_hash': 'x'}, remember=remember)

    @app.get('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return 'bye'

    @app.get('/who')
    async def who(request):
        user = await login.get_current_user(request)
        return user['id'] if user else 'nobody'

    return app


# --- TimedCodec -------------------------------------------------------------------------------------

def spellings(token):
    """The token with the end of its signature written in other ways, some of which itsdangerous takes for the same."""
    return [token] + [token[:-1] + c for c in ALPHABET] + [token + end for end in ('=', '!', '==', '.', ' ')]


def test_S3_every_spelling_of_a_cookie_of_starlette_is_one_session():
    codec = TimedCodec(KEY)
    token = itsdangerous.TimestampSigner(KEY).sign(base64.b64encode(b'{"a":1}')).decode()
    ids = []
    for spelling in spellings(token):
        try:
            ids.append(codec.decode(spelling)['jti'])
        except tokens.TokenError:
            pass
    assert len(ids) > 1 and len(set(ids)) == 1


async def test_S3_a_cookie_of_starlette_that_was_ended_is_dead_in_every_spelling():
    app = app_of(codec=TimedCodec(KEY))
    token = itsdangerous.TimestampSigner(KEY).sign(base64.b64encode(b'{"a":1}')).decode()
    assert (await MicrodotClient(app).get('/show', {'Cookie': 'session=' + token})).json == {'a': 1}
    await MicrodotClient(app).get('/delete', {'Cookie': 'session=' + token})
    for spelling in spellings(token):
        assert (await MicrodotClient(app).get('/show', {'Cookie': 'session=' + spelling})).json == {}, spelling


# --- JWTCodec ---------------------------------------------------------------------------------------

@pytest.mark.parametrize('key', ['', b''])
def test_T9_an_empty_secret_is_refused(key):
    for make in (lambda: JWTCodec('HS256', key), lambda: JWTCodec('HS256', KEY, [KEY, key]), lambda: TimedCodec(key)):
        with pytest.raises(ValueError):
            make()


def test_T9_a_short_secret_is_warned_of(warnings):
    JWTCodec('HS256', KEY)
    JWTCodec('ES256', PRIVATE, [PUBLIC])
    TimedCodec([KEY, OTHER_KEY])
    assert warnings == []
    JWTCodec('HS256', KEY, [KEY, 'short'])
    assert len(warnings) == 1 and '32 bytes' in warnings[0]
    portable._warned.clear()
    TimedCodec([KEY, 'short'])
    assert len(warnings) == 2


def test_a_session_that_another_machine_has_begun_a_moment_ahead_is_one():
    codec = JWTCodec('ES256', PRIVATE, [PUBLIC])
    ext = Session(secret_key=KEY, codec=codec)
    claims = {'jti': 'a', 'iat': int(time.time()) + 30, 'exp': int(time.time()) + 1000, 'data': {'a': 1}}
    assert ext.decode(codec.encode(claims)) == {'a': 1}
    claims['iat'] += 2 * 86400  # that clock was wrong
    assert ext.decode(codec.encode(claims)) == {}


async def test_a_service_that_only_reads_stays_up_when_a_session_would_be_written(monkeypatch):
    make = app_of(30, codec=JWTCodec('ES256', PRIVATE, [PUBLIC]), idle=800)
    client = MicrodotClient(make)
    await client.get('/login')
    read = app_of(codec=JWTCodec('ES256', verify_with=[PUBLIC]), idle=800, secret_key=[OTHER_KEY, KEY])
    header = '; '.join(f'{name}={value}' for name, value in client.cookies.items())
    res = await MicrodotClient(read).get('/who', {'Cookie': header})
    assert (res.status_code, res.text) == (200, 'anna')  # the stamp is of the old key
    now = time.time()
    monkeypatch.setattr(portable, '_wall_clock', lambda: now + 200)
    res = await MicrodotClient(read).get('/who', {'Cookie': header})
    assert (res.status_code, res.text) == (200, 'anna')  # the time of use would be due
    res = await MicrodotClient(read).get('/who', {'Cookie': '_remember=' + client.cookies['_remember']})
    assert (res.status_code, res.text) == (200, 'anna')  # a session would begin


# --- several Cookie lines, as HTTP/2 sends them -----------------------------------------------------

async def ask(app, path, *lines):
    """The cookies that are set and the text, for a request with these Cookie lines."""
    done = asyncio.Event()
    sent, body = [], [{'type': 'http.request', 'body': b'', 'more_body': False}]

    async def receive():
        if body:
            return body.pop()
        await done.wait()
        return {'type': 'http.disconnect'}

    async def send(message):
        sent.append(message)
        if message['type'] == 'http.response.body' and not message.get('more_body'):
            done.set()

    headers = [(b'host', b'device.lan')] + [(b'cookie', line.encode()) for line in lines]
    await app({'type': 'http', 'http_version': '2', 'method': 'GET', 'path': path, 'query_string': b'',
               'scheme': 'https', 'client': ('127.0.0.1', 1), 'headers': headers}, receive, send)
    cookies = [value.decode().split(';')[0] for name, value in sent[0]['headers'] if name == b'set-cookie']
    return cookies, b''.join(message.get('body', b'') for message in sent[1:]).decode()


async def test_S3_a_logout_ends_and_clears_what_came_in_any_of_several_cookie_lines():
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1)):
        app = app_of(30)
        cookies, _ = await ask(app, '/login')
        lines = [sorted(cookies)[i] if i < 2 else 'theme=dark' for i in order]
        assert (await ask(app, '/who', *lines))[1] == 'anna'
        remembered = [line for line in lines if 'session' not in line]
        assert (await ask(app, '/who', *remembered))[1] == 'anna'
        cleared, _ = await ask(app, '/logout', *lines)
        assert sorted(cleared) == ['__Host-_remember=', '__Host-session='], order
        assert (await ask(app, '/who', *lines))[1] == 'nobody'
        assert (await ask(app, '/who', *remembered))[1] == 'nobody'


# --- the list of ended tokens that processes share --------------------------------------------------

@pytest.fixture
def path(tmp_path):
    return str(tmp_path / 'revoked.json')


def test_a_list_that_only_reads_what_others_end_has_a_bound_too(path):
    writes, reads = Revoked(4, path), Revoked(4, path)
    ended = [(f't{number}', int(time.time()) + 10000 + number) for number in range(40)]
    for token in ended:
        writes.add(*token)
        assert reads.has(*token)
    assert len(reads._ends[0]) <= 4
    assert all(reads.has(*token) for token in ended)


async def test_S11_while_the_list_of_ended_tokens_cannot_be_read_there_are_no_sessions(path, warnings):
    app = app_of(revoked_path=path)
    browser, idle = MicrodotClient(app), MicrodotClient(app)
    await browser.get('/login')
    ended = browser.cookies['session']
    await browser.get('/logout')
    for visitor in (browser, idle):
        await visitor.get('/login')
    assert (await browser.get('/who')).text == 'anna'
    with open(path, 'rb') as file:
        good = file.read()
    with open(path, 'wb') as file:
        file.write(b'{"damaged')
    for visitor in (browser, idle):
        assert (await visitor.get('/who')).status_code == 503
    assert (await MicrodotClient(app).get('/who')).text == 'nobody'
    assert len([text for text in warnings if 'ended' in text]) == 1
    with open(path, 'wb') as file:
        file.write(good + b' ')
    assert (await browser.get('/who')).text == (await idle.get('/who')).text == 'anna'
    assert (await MicrodotClient(app).get('/who', {'Cookie': 'session=' + ended})).text == 'nobody'


async def test_S3_a_logout_that_cannot_be_looked_up_says_so(path):
    app = app_of(revoked_path=path)
    browser = MicrodotClient(app)
    await browser.get('/login')
    cookie = {'Cookie': 'session=' + browser.cookies['session']}
    with open(path, 'wb') as file:
        file.write(b'{"damaged')
    assert (await MicrodotClient(app).get('/logout', cookie)).status_code == 503
    with open(path, 'wb') as file:
        file.write(b'{"format":1,"ends":{},"floor":0}')
    assert (await MicrodotClient(app).get('/logout', cookie)).status_code == 200
    assert (await MicrodotClient(app).get('/who', cookie)).text == 'nobody'

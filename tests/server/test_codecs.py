"""Session tokens of other libraries: PyJWT's algorithms, and the cookie of Starlette's middleware."""
import base64
import json
import time

import httpx
import itsdangerous
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from microdot.asgi import Microdot
from microdot.test_client import TestClient as MicrodotClient
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from dotlatch import tokens
from dotlatch.login import Login
from dotlatch.server.jwt_codec import JWTCodec
from dotlatch.server.timed_codec import OURS, TimedCodec
from dotlatch.session import Session, with_session

KEY = '0123456789abcdef0123456789abcdef'
OTHER_KEY = 'fedcba9876543210fedcba9876543210'
CLAIMS = {'jti': 'A' * 22, 'iat': 1700000000, 'exp': 4102444800, 'data': {'name': 'Änne', 'n': [1, None, {'a': 1.5}]}}


def pem(private):
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption()).decode()


def public_pem(private):
    return private.public_key().public_bytes(serialization.Encoding.PEM,
                                             serialization.PublicFormat.SubjectPublicKeyInfo).decode()


MAKERS = {
    'ES256': lambda: ec.generate_private_key(ec.SECP256R1()),
    'EdDSA': ed25519.Ed25519PrivateKey.generate,
    'RS256': lambda: rsa.generate_private_key(65537, 2048),
}
PAIRS = {name: (make(), make()) for name, make in MAKERS.items()}


def app_of(codec, **options):
    app = Microdot()
    Session(app, secret_key=KEY, codec=codec, **options)
    login = Login()

    @login.user_loader
    async def load(user_id):
        return {'id': user_id, 'password_hash': 'x'}

    @app.get('/set/<value>')
    @with_session
    async def put(request, session, value):
        session['value'] = value
        session.save()
        return 'set'

    @app.get('/show')
    @with_session
    async def show(request, session):
        return dict(session)

    @app.get('/login')
    async def log_in(request):
        return await login.login_user(request, {'id': 'anna', 'password_hash': 'x'})

    @app.get('/who')
    @login
    async def who(request):
        return request.g.current_user['id']

    @app.get('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return 'bye'

    return app


# --- PyJWT ------------------------------------------------------------------------------------------

@pytest.mark.parametrize('algorithm', PAIRS)
def test_claims_go_through_a_key_pair_and_pyjwt_reads_them(algorithm):
    private, _ = PAIRS[algorithm]
    codec = JWTCodec(algorithm, pem(private), [public_pem(private)])
    token = codec.encode(CLAIMS)
    assert codec.decode(token) == CLAIMS and codec.is_current(token)
    assert jwt.decode(token, public_pem(private), algorithms=[algorithm]) == CLAIMS


@pytest.mark.parametrize('algorithm', ['HS256', 'HS384', 'HS512'])
def test_claims_go_through_a_secret(algorithm):
    codec = JWTCodec(algorithm, KEY * 2)
    assert codec.decode(codec.encode(CLAIMS)) == CLAIMS


def test_tokens_of_the_default_codec_are_read_and_the_other_way_round():
    ext = Session(secret_key=KEY)
    codec = JWTCodec('HS256', KEY)
    assert codec.decode(ext._kept.codec.encode(CLAIMS)) == CLAIMS
    assert ext._kept.codec.decode(codec.encode(CLAIMS)) == CLAIMS


@pytest.mark.parametrize('algorithm', PAIRS)
def test_T9_the_old_pair_verifies_until_it_is_removed(algorithm):
    new, old = PAIRS[algorithm]
    token = JWTCodec(algorithm, pem(old), [public_pem(old)]).encode(CLAIMS)
    both = JWTCodec(algorithm, pem(new), [public_pem(new), public_pem(old)])
    assert both.decode(token) == CLAIMS and not both.is_current(token)
    assert both.is_current(both.encode(CLAIMS))
    with pytest.raises(tokens.InvalidSignature):
        JWTCodec(algorithm, pem(new), [public_pem(new)]).decode(token)


def test_T1_the_algorithm_is_the_one_that_was_configured():
    private, _ = PAIRS['RS256']
    public = public_pem(private)
    codec = JWTCodec('RS256', pem(private), [public])
    header = {'typ': 'dl-session+jwt'}
    # The classic confusion: the public key, which everybody has, as the secret of an HS256.
    signed = base64.urlsafe_b64encode(json.dumps({'alg': 'HS256', **header}).encode()).rstrip(b'=') + b'.'
    signed += base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).rstrip(b'=')
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed, public.encode())
    confused = (signed + b'.' + base64.urlsafe_b64encode(mac).rstrip(b'=')).decode()
    none = jwt.encode(CLAIMS, None, algorithm='none', headers=header)
    other = jwt.encode(CLAIMS, pem(PAIRS['ES256'][0]), algorithm='ES256', headers=header)
    for token in (confused, none, other):
        with pytest.raises(tokens.TokenError):
            codec.decode(token)


def test_T7_a_token_for_another_purpose_is_no_session():
    private, _ = PAIRS['EdDSA']
    codec = JWTCodec('EdDSA', pem(private), [public_pem(private)])
    right = {'typ': 'dl-session+jwt'}
    for headers in ({'typ': 'JWT'}, {'typ': 'dl-remember+jwt'}, {'typ': None}, {**right, 'crit': ['x'], 'x': 1},
                    {**right, 'jku': 'https://evil.example'}, {**right, 'zip': 'DEF'}):
        with pytest.raises(tokens.TokenError):
            codec.decode(jwt.encode(CLAIMS, pem(private), algorithm='EdDSA', headers=headers))


@pytest.mark.parametrize('change', [{'exp': None}, {'exp': 1.5}, {'exp': 'x'}, {'exp': 1000}, {'jti': 5}, {'jti': None},
                                    {'aud': 'x'}, {'nbf': 4102444800}, {'iat': 'x'}, {'seen': 1.5}, {'exp': True}])
def test_T5_claims_that_are_out_of_time_or_shape_are_a_token_error(change):
    private, _ = PAIRS['EdDSA']
    codec = JWTCodec('EdDSA', pem(private), [public_pem(private)])
    claims = {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}
    token = jwt.api_jws.encode(json.dumps(claims).encode(), pem(private), algorithm='EdDSA',
                               headers={'typ': 'dl-session+jwt'})
    with pytest.raises(tokens.TokenError):
        codec.decode(token)


@given(st.one_of(st.text(max_size=200), st.from_regex(r'\A[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}\Z')))
def test_T4_junk_is_a_token_error(token):
    codec = JWTCodec('ES256', pem(PAIRS['ES256'][0]), [public_pem(PAIRS['ES256'][0])])
    for one in (codec, TimedCodec(KEY)):
        with pytest.raises(tokens.TokenError):
            one.decode(token)


def test_every_damaged_byte_of_a_token_is_a_token_error():
    private = PAIRS['ES256'][0]
    for codec in (JWTCodec('ES256', pem(private), [public_pem(private)]), TimedCodec(KEY)):
        token = codec.encode(CLAIMS)
        for i in range(len(token)):
            head, letter, tail = token[:i], token[i], token[i + 1:]
            for changed in (head + ('A' if letter != 'A' else 'B') + tail, head, head + tail):
                try:
                    assert codec.decode(changed) == CLAIMS
                    # The last letter of an itsdangerous signature has bits that are not used.
                    assert isinstance(codec, TimedCodec) and not tail
                except tokens.TokenError:
                    pass


def test_a_service_without_the_private_key_reads_and_makes_none():
    private, _ = PAIRS['ES256']
    reader = JWTCodec('ES256', verify_with=[public_pem(private)])
    assert reader.decode(JWTCodec('ES256', pem(private), [public_pem(private)]).encode(CLAIMS)) == CLAIMS
    with pytest.raises(RuntimeError, match='no key that signs'):
        reader.encode(CLAIMS)


@pytest.mark.parametrize('wrong', [('none', KEY, [KEY]), ('HS257', KEY, [KEY]), ('ES256', KEY, []),
                                   ('ES256', KEY, KEY)])
def test_what_is_no_configuration_is_refused_at_the_start(wrong):
    with pytest.raises(ValueError):
        JWTCodec(*wrong)


def test_a_key_that_would_end_every_session_is_refused_at_the_start():
    (one, _), (other, _) = PAIRS['ES256'], PAIRS['EdDSA']
    ours, public, theirs = pem(one), public_pem(one), public_pem(other)
    for keys in ((b'', [public]), (public, [public]), (pem(other), [public]), (ours, [public, theirs]),
                 (None, [theirs]), (None, [None]), (ours, ['no key'])):
        with pytest.raises(ValueError, match='a key is none of ES256'):
            JWTCodec('ES256', *keys)
    with pytest.raises(ValueError, match='could not be read here'):
        JWTCodec('ES256', ours, [public_pem(ec.generate_private_key(ec.SECP256R1()))])
    JWTCodec('ES256', ours, [public_pem(ec.generate_private_key(ec.SECP256R1())), public])  # before a rotation


@pytest.mark.parametrize('make', [
    lambda: JWTCodec('ES256', pem(PAIRS['ES256'][0]), [public_pem(PAIRS['ES256'][0])]),
    lambda: JWTCodec('EdDSA', pem(PAIRS['EdDSA'][0]), [public_pem(PAIRS['EdDSA'][0])]),
    lambda: TimedCodec(KEY),
], ids=['ES256', 'EdDSA', 'itsdangerous'])
async def test_S3_login_and_logout_with_another_codec(make):
    app = app_of(make())
    browser, thief = MicrodotClient(app), MicrodotClient(app)
    await browser.get('/login')
    thief.cookies = dict(browser.cookies)
    assert (await browser.get('/who')).text == 'anna' and (await thief.get('/who')).text == 'anna'
    await browser.get('/logout')
    thief.cookies = dict(thief.cookies)
    assert (await thief.get('/who')).status_code == 302


async def test_T9_a_session_under_the_old_pair_is_signed_anew():
    new, old = PAIRS['ES256']
    browser = MicrodotClient(app_of(JWTCodec('ES256', pem(old), [public_pem(old)])))
    await browser.get('/set/1')
    both = MicrodotClient(app_of(JWTCodec('ES256', pem(new), [public_pem(new), public_pem(old)])))
    both.cookies = dict(browser.cookies)
    assert (await both.get('/show')).json == {'value': '1'}
    after = MicrodotClient(app_of(JWTCodec('ES256', pem(new), [public_pem(new)])))
    after.cookies = dict(both.cookies)
    assert (await after.get('/show')).json == {'value': '1'}
    after.cookies = dict(browser.cookies)
    assert (await after.get('/show')).json == {}


# --- Starlette --------------------------------------------------------------------------------------

async def starlette_set(request):
    request.session['value'] = request.path_params['value']
    return JSONResponse('set')


async def starlette_show(request):
    return JSONResponse(dict(request.session))


async def starlette_clear(request):
    request.session.clear()
    return JSONResponse('cleared')


def starlette(key=KEY, **options):
    routes = [Route('/set/{value}', starlette_set), Route('/show', starlette_show), Route('/clear', starlette_clear)]
    app = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key=key, **options)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url='http://device.lan')


async def test_a_cookie_of_starlette_is_a_session_here_and_ours_is_one_there():
    theirs, ours = starlette(), MicrodotClient(app_of(TimedCodec(KEY)))
    await theirs.get('/set/theirs')
    ours.cookies = {'session': theirs.cookies['session']}
    assert (await ours.get('/show')).json == {'value': 'theirs'}
    await ours.get('/set/ours')
    theirs.cookies.clear()
    theirs.cookies.set('session', ours.cookies['session'], domain='device.lan', path='/')
    assert (await theirs.get('/show')).json()['value'] == 'ours'


async def test_S3_a_session_of_ours_that_starlette_wrote_again_ends_with_a_logout_here():
    app = app_of(TimedCodec(KEY))
    ours, theirs, thief = MicrodotClient(app), starlette(), MicrodotClient(app)
    await ours.get('/login')
    theirs.cookies.set('session', ours.cookies['session'], domain='device.lan', path='/')
    await theirs.get('/set/more')
    written = {cookie.value for cookie in theirs.cookies.jar}
    written.discard(ours.cookies['session'])
    thief.cookies = {'session': written.pop()}
    assert (await thief.get('/who')).text == 'anna' and (await thief.get('/show')).json['value'] == 'more'
    await ours.get('/logout')
    assert (await thief.get('/who')).status_code == 302


async def test_S4_a_session_that_starlette_began_ends_when_it_does_there(monkeypatch):
    ours = MicrodotClient(app_of(TimedCodec(KEY, max_age=100)))
    signer = itsdangerous.TimestampSigner(KEY)
    for age, expected in ((50, {'value': 1}), (150, {})):
        monkeypatch.setattr(signer, 'get_timestamp', lambda age=age: int(time.time()) - age)
        ours.cookies = {'session': signer.sign(base64.b64encode(b'{"value": 1}')).decode()}
        assert (await ours.get('/show')).json == expected


def test_T9_keys_are_rotated_there_too():
    token = TimedCodec(OTHER_KEY).encode(CLAIMS)
    both = TimedCodec([KEY, OTHER_KEY])
    assert both.decode(token) == CLAIMS and not both.is_current(token)
    assert both.is_current(both.encode(CLAIMS))
    with pytest.raises(tokens.InvalidSignature):
        TimedCodec(KEY).decode(token)


def test_T11_data_under_the_name_that_is_ours_is_refused():
    with pytest.raises(ValueError, match='taken'):
        TimedCodec(KEY).encode({**CLAIMS, 'data': {OURS: {}}})


@pytest.mark.parametrize('content', [b'[]', b'null', b'5', b'{', b'{"_dotlatch": 5}', b'{"_dotlatch": []}',
                                     b'{"_dotlatch": {"exp": "x"}}', b'{"_dotlatch": {"exp": 8589934592}}',
                                     b'{"a": 1, "a": 2}', b'\xff', b''])
def test_signed_content_that_is_no_session_is_a_token_error(content):
    token = itsdangerous.TimestampSigner(KEY).sign(base64.b64encode(content)).decode()
    with pytest.raises(tokens.TokenError):
        TimedCodec(KEY).decode(token)


def test_an_empty_key_is_refused():
    for key in ('', b'', [], [KEY, '']):
        with pytest.raises(ValueError):
            TimedCodec(key)

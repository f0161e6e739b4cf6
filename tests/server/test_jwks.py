"""Tokens of an outside issuer: only its keys open, by the algorithms that were named, and it is not asked too often."""
import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from microdot.test_client import TestClient

from dotlatch import portable
from dotlatch.portable import b64url_decode
from dotlatch.server.asgi import Microdot
from dotlatch.server.jwks import MAX_KEYS, MAX_SIZE, Issuer, IssuerAuth, KeySet, KeysUnavailable, fetch_url
from dotlatch.tokens import ExpiredToken, InvalidClaim, InvalidSignature, InvalidToken, TokenError
from tests.portable.clock import FakeClock

ISSUER = "https://login.example"
AUDIENCE = "greenhouse"
ALGORITHMS = ("RS256", "ES256", "EdDSA")


class Signer:
    """A key pair of an issuer: tokens by the one half, an entry of a key set with the other."""

    def __init__(self, algorithm, kid, private=None):
        self.algorithm = algorithm
        self.kid = kid
        self.private = private or {
            "RS256": lambda: rsa.generate_private_key(65537, 2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate}[algorithm]()

    @property
    def public(self):
        return self.private.public_key()

    def pem(self):
        return self.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def entry(self, **changed):
        kind = {"RS256": "RSAAlgorithm", "ES256": "ECAlgorithm", "EdDSA": "OKPAlgorithm"}[self.algorithm]
        entry = getattr(jwt.algorithms, kind).to_jwk(self.public, as_dict=True)
        entry.pop("key_ops", None)
        entry.update({"kid": self.kid, "use": "sig", "alg": self.algorithm}, **changed)
        return {name: value for name, value in entry.items() if value is not None}

    def token(self, header=None, algorithm=None, **changed):
        return jwt.encode(claims(**changed), self.private, algorithm or self.algorithm,
                          headers={"kid": self.kid, **(header or {})})


def claims(**changed):
    time_now = portable.now()
    found = {"iss": ISSUER, "aud": AUDIENCE, "sub": "anna", "iat": time_now, "exp": time_now + 300,
             "scope": "read", **changed}
    return {name: value for name, value in found.items() if value is not None}


SIGNERS = {name: Signer(name, f"key of {name}") for name in ALGORITHMS}
SIGNER = SIGNERS["ES256"]
OTHER = Signer("ES256", "another key")


class Site:
    """An issuer's web server: what it answers, and how often it was asked."""

    def __init__(self):
        self.answer = None
        self.keys = [signer.entry() for signer in SIGNERS.values()]
        self.asked = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked += 1
                site.reply(self)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *about: None  # clients that go away are what is tested here
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys?of=all"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def reply(self, handler):
        if self.answer is not None:
            return self.answer(handler)
        assert handler.path == "/keys?of=all"
        send(handler, 200, json.dumps({"keys": self.keys}).encode())

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def send(handler, status, body=b"", **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture
def clock():
    with FakeClock() as clock:
        yield clock


def keys_of(site, **options):
    return KeySet(site.url, allow_http=True, **{"timeout": 2.0, **options})


def issuer_of(site, algorithms=ALGORITHMS, **options):
    return Issuer(ISSUER, AUDIENCE, keys_of(site), algorithms, **options)


async def refused(issuer, token, error=TokenError):
    with pytest.raises(error) as caught:
        await issuer.claims(token)
    assert isinstance(caught.value, TokenError)


# --- tokens that pass -----------------------------------------------------------------------------

@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_of_each_algorithm_passes(site, algorithm):
    found = await issuer_of(site, [algorithm]).claims(SIGNERS[algorithm].token())
    assert found["sub"] == "anna"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_token_whose_issuer_has_one_such_key_need_not_name_it(site, algorithm):
    found = await issuer_of(site).claims(jwt.encode(claims(), SIGNERS[algorithm].private, algorithm))
    assert found["sub"] == "anna"


async def test_of_two_keys_none_is_guessed(site):
    site.keys.append(OTHER.entry())
    token = jwt.encode(claims(), SIGNER.private, "ES256")
    await refused(issuer_of(site), token, InvalidSignature)


async def test_a_key_need_not_say_what_it_is_for(site):
    for changed in ({"alg": None}, {"use": None}, {"alg": None, "use": None}, {"key_ops": ["verify"]}):
        site.keys = [SIGNER.entry(**changed)]
        assert await issuer_of(site).claims(SIGNER.token()), changed


async def test_the_audience_may_be_one_of_several(site):
    assert await issuer_of(site).claims(SIGNER.token(aud=["doors", AUDIENCE]))


# --- T1, T6: the algorithm and the key are ours to choose -------------------------------------------

@pytest.mark.parametrize("algorithms", [["HS256"], ["none"], ["ES256", "HS256"], [], "ES256", ["es256"], ["RS512"]])
def test_T1_only_algorithms_of_key_pairs_can_be_named(algorithms):
    with pytest.raises(ValueError):
        Issuer(ISSUER, AUDIENCE, None, algorithms)


def jws(header, payload, sign):
    signed = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload))
    return signed + "." + base64.urlsafe_b64encode(sign(signed.encode())).rstrip(b"=").decode()


async def test_T1_a_public_key_is_no_secret_for_HS256(site):
    issuer = issuer_of(site)
    payload = json.dumps(claims()).encode()
    for signer in SIGNERS.values():
        for secret in (signer.pem(), signer.pem().strip(), json.dumps(signer.entry()).encode(), b""):
            for algorithm in ("HS256", signer.algorithm):
                header = json.dumps({"alg": algorithm, "kid": signer.kid}).encode()
                token = jws(header, payload, lambda m, s=secret: hmac.digest(s, m, hashlib.sha256))
                await refused(issuer, token)


async def test_T1_no_signature_is_no_token(site):
    issuer = issuer_of(site)
    payload = json.dumps(claims()).encode()
    for algorithm in ("none", "None", "", None, ["ES256"], {"ES256": 1}, 256, True, "ES256"):
        header = json.dumps({"alg": algorithm, "kid": SIGNER.kid}).encode()
        await refused(issuer, jws(header, payload, lambda m: b""))
    await refused(issuer, jws(b"{}", payload, lambda m: b""))


async def test_T1_a_key_serves_its_own_algorithm_only(site):
    issuer = issuer_of(site, ["ES256"])
    await refused(issuer, SIGNERS["RS256"].token(), InvalidToken)
    asked = site.asked
    mixed = json.dumps({"alg": "ES256", "kid": SIGNERS["RS256"].kid}).encode()
    await refused(issuer, jws(mixed, json.dumps(claims()).encode(), lambda m: b"x" * 64), InvalidSignature)
    assert (asked, site.asked) == (0, 1)


async def test_T6_a_header_brings_no_key(site):
    issuer = issuer_of(site)
    thief = Signer("ES256", SIGNER.kid)
    for header in ({"jwk": thief.entry()}, {"jku": site.url + "&evil"}, {"x5u": site.url}, {"x5c": ["AAAA"]}):
        await refused(issuer, thief.token(header), InvalidSignature)
        assert await issuer.claims(SIGNER.token(header))
    assert site.asked == 1


async def test_T6_a_header_that_changes_the_meaning_is_refused(site):
    issuer = issuer_of(site)
    payload = json.dumps(claims()).encode()

    def sign(message):
        return jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(message, SIGNER.private)

    plain = {"alg": "ES256", "kid": SIGNER.kid}
    assert await issuer.claims(jws(json.dumps(plain).encode(), payload, sign))
    for more in ({"crit": ["x"]}, {"crit": []}, {"b64": False}, {"zip": "DEF"}, {"enc": "A128GCM"}, {"cty": "JWT"},
                 {"kid": 7}, {"kid": [SIGNER.kid]}, {"typ": 7}):
        await refused(issuer, jws(json.dumps({**plain, **more}).encode(), payload, sign))
    twice = b'{"alg":"ES256","alg":"ES256","kid":"key of ES256"}'
    await refused(issuer, jws(twice, payload, sign), InvalidToken)


async def test_T4_claims_are_one_strict_object(site):
    issuer = issuer_of(site)

    def sign(message):
        return jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(message, SIGNER.private)

    header = json.dumps({"alg": "ES256", "kid": SIGNER.kid}).encode()
    good = json.dumps(claims())
    for payload in ("[]", "7", "null", '"x"', "", good[:-1], good + good, good[:-1] + ', "sub": "bert"}',
                    good.replace('"anna"', "NaN"), good.replace('"anna"', '"\\ud800"')):
        await refused(issuer, jws(header, payload.encode(), sign), InvalidToken)
    await refused(issuer, jws(header, b"\xff", sign), InvalidToken)


# --- T2, T3: signatures -----------------------------------------------------------------------------

@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_T2_a_changed_token_is_refused(site, algorithm):
    issuer = issuer_of(site)
    token = SIGNERS[algorithm].token()
    for i in range(0, len(token), 5):
        other = "A" if token[i] != "A" else "B"
        await refused(issuer, token[:i] + other + token[i + 1:])
    await refused(issuer, SIGNERS[algorithm].token()[:-4])


@pytest.mark.parametrize("token", [
    "", ".", "..", "...", "a.b", "a.b.c.d", "é.é.é", "\ud800.a.b", "a.b.c", " ", "x" * 5000, None, 7, b"a.b.c"])
async def test_T3_what_is_no_token_is_refused(site, token):
    await refused(issuer_of(site), token, InvalidToken)
    assert not site.asked


async def test_T3_one_spelling_of_base64_passes(site):
    issuer = issuer_of(site)
    token = SIGNER.token()
    parts = token.split(".")
    for changed in (token + "=", token + "\n", " " + token, ".".join([parts[0] + "=", *parts[1:]]),
                    token.replace(".", ". ", 1), parts[0] + "." + parts[1] + "." + parts[2] + "AA"):
        await refused(issuer, changed)
    signature = b64url_decode(parts[2])
    same = [token[:-1] + c for c in BASE64URL if token[-1] != c and lenient(parts[2][:-1] + c) == signature]
    assert len(same) == 15  # four bits of the last character are spare
    for changed in same:
        await refused(issuer, changed, InvalidToken)


BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def lenient(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- T5, T7, T8: times, purpose, audience, issuer -----------------------------------------------------

async def test_T5_times_are_kept_with_a_minute_of_leeway(site, clock):
    issuer = issuer_of(site)
    token = SIGNER.token(exp=portable.now() + 10)
    later = SIGNER.token(nbf=portable.now() + 70)
    await refused(issuer, later, InvalidClaim)
    clock.advance(10)
    assert await issuer.claims(token)
    assert await issuer.claims(later)
    clock.advance(59)
    assert await issuer.claims(token)
    clock.advance(1)
    await refused(issuer, token, ExpiredToken)


async def test_T5_times_are_numbers_and_an_end_is_needed(site):
    issuer = issuer_of(site, leeway=0)
    ends = portable.now() + 300

    def sign(message):
        return jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(message, SIGNER.private)

    header = json.dumps({"alg": "ES256", "kid": SIGNER.kid}).encode()
    for changed in ({"exp": None}, {"exp": str(ends)}, {"exp": True}, {"exp": [ends]}, {"nbf": "0"}, {"iat": "0"},
                    {"exp": 0}, {"exp": -1}, {"nbf": ends}):
        await refused(issuer, jws(header, json.dumps(claims(**changed)).encode(), sign))
    assert await issuer.claims(jws(header, json.dumps(claims(exp=ends + 0.5)).encode(), sign))


async def test_T8_issuer_and_audience_are_exact(site):
    issuer = issuer_of(site)
    for changed in ({"iss": ISSUER + "/"}, {"iss": ISSUER.upper()}, {"iss": None}, {"iss": [ISSUER]}, {"iss": ""},
                    {"aud": "Greenhouse"}, {"aud": "green"}, {"aud": None}, {"aud": []}, {"aud": [["greenhouse"]]},
                    {"aud": ["doors"]}, {"aud": ""}):
        token = jwt.PyJWS().encode(json.dumps(claims(**changed)).encode(), SIGNER.private, "ES256",
                                   headers={"kid": SIGNER.kid})
        await refused(issuer, token, InvalidClaim)
    for given in (("", AUDIENCE), (ISSUER, ""), (ISSUER, [AUDIENCE]), (None, AUDIENCE)):
        with pytest.raises(ValueError):
            Issuer(*given, None, ALGORITHMS)


@pytest.mark.parametrize("typ, taken, of_any_kind", [
    ("at+jwt", True, True), ("application/at+jwt", True, True), ("AT+JWT", True, True), ("JWT", False, True),
    (None, False, True), ("logout+jwt", False, False), ("dl-session+jwt", False, False), ("", False, True)])
async def test_T7_the_purpose_is_looked_at(site, typ, taken, of_any_kind):
    token = SIGNER.token({"typ": typ})
    for issuer, passes in ((issuer_of(site, typ="at+jwt"), taken), (issuer_of(site), of_any_kind)):
        if passes:
            assert await issuer.claims(token)
        else:
            await refused(issuer, token, InvalidClaim)


# --- keys: when they are fetched ------------------------------------------------------------------

async def test_keys_are_fetched_once_and_kept(site, clock):
    issuer = issuer_of(site)
    for _ in range(20):
        await issuer.claims(SIGNER.token())
    assert site.asked == 1
    clock.advance(599)
    await issuer.claims(SIGNER.token())
    assert site.asked == 1
    clock.advance(1)
    await issuer.claims(SIGNER.token())
    assert site.asked == 2


async def test_many_first_requests_share_one_fetch(site):
    def slowly(handler):
        time.sleep(0.2)
        send(handler, 200, json.dumps({"keys": site.keys}).encode())

    site.answer = slowly
    issuer = issuer_of(site)
    found = await asyncio.gather(*[issuer.claims(SIGNER.token()) for _ in range(50)])
    assert len(found) == 50 and site.asked == 1


def test_threads_with_event_loops_of_their_own_share_it_too(site):
    def slowly(handler):
        time.sleep(0.2)
        send(handler, 200, json.dumps({"keys": site.keys}).encode())

    site.answer = slowly
    issuer = issuer_of(site)
    found = []
    threads = [threading.Thread(target=lambda: found.append(asyncio.run(issuer.claims(SIGNER.token()))))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and site.asked == 1


async def test_a_fetch_does_not_hold_up_other_requests(site):
    done = threading.Event()

    def when_told(handler):
        done.wait(10)
        send(handler, 200, json.dumps({"keys": site.keys}).encode())

    site.answer = when_told
    waiting = asyncio.create_task(issuer_of(site).claims(SIGNER.token()))
    while not site.asked:
        await asyncio.sleep(0.01)  # the event loop goes on
    assert not waiting.done()
    done.set()
    assert await waiting


async def test_a_request_that_goes_away_takes_the_fetch_with_it_for_nobody(site):
    done = threading.Event()

    def when_told(handler):
        done.wait(10)
        send(handler, 200, json.dumps({"keys": site.keys}).encode())

    site.answer = when_told
    issuer = issuer_of(site)
    first, second = [asyncio.create_task(issuer.claims(SIGNER.token())) for _ in range(2)]
    while not site.asked:
        await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    done.set()
    assert await second
    assert first.cancelled() and site.asked == 1


async def test_a_new_key_is_known_a_minute_after_the_last_fetch_at_the_latest(site, clock):
    issuer = issuer_of(site)
    await issuer.claims(SIGNER.token())
    site.keys.append(OTHER.entry())
    await refused(issuer, OTHER.token(), InvalidSignature)
    clock.advance(60)
    assert await issuer.claims(OTHER.token())
    assert await issuer.claims(SIGNER.token())
    assert site.asked == 2


async def test_a_key_that_was_withdrawn_is_dropped(site, clock):
    issuer = issuer_of(site)
    await issuer.claims(SIGNER.token())
    site.keys = [OTHER.entry()]
    clock.advance(600)
    await refused(issuer, SIGNER.token(), InvalidSignature)
    site.keys = []
    clock.advance(600)
    await refused(issuer, OTHER.token(), InvalidSignature)


async def test_a_flood_of_unknown_keys_is_one_fetch_a_minute(site, clock):
    issuer = issuer_of(site)
    for minute in range(1, 4):
        for i in range(200):
            await refused(issuer, SIGNER.token({"kid": f"key {i}"}), InvalidSignature)
        assert site.asked == minute
        clock.advance(60)
    assert await issuer.claims(SIGNER.token())
    assert len(issuer.keys._keys) == 6  # three by name, three alone of their kind: nothing is kept of the others


# --- keys: when they cannot be had ----------------------------------------------------------------

def redirected(handler):
    send(handler, 302, json.dumps({"keys": [SIGNER.entry()]}).encode(), Location="/elsewhere")


def oversized(handler):
    send(handler, 200, json.dumps({"keys": [SIGNER.entry()]}).encode() + b" " * MAX_SIZE)


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(10 ** 4):
        handler.wfile.write(b" " * 65536)


def dripping(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        time.sleep(0.02)


def dripping_header(handler):
    for _ in range(1000):
        handler.wfile.write(b"X")
        time.sleep(0.02)


def silent(handler):
    time.sleep(20)


def junk(body):
    return lambda handler: send(handler, 200, body)


GOOD_ENTRY = json.dumps(SIGNER.entry())
BAD_ANSWERS = {
    "500": lambda handler: send(handler, 500), "404": lambda handler: send(handler, 404, b'{"keys":[]}'),
    "204": lambda handler: send(handler, 204), "redirect": redirected, "oversized": oversized, "endless": endless,
    "dripping": dripping, "dripping header": dripping_header, "silent": silent, "empty": junk(b""),
    "no JSON": junk(b"<html>"), "no UTF-8": junk(b'{"keys":["\xff"]}'), "a list": junk(b"[]"),
    "no keys": junk(b'{"key":[]}'), "keys twice": junk(b'{"keys":[],"keys":[]}'),
    "keys as an object": junk(b'{"keys":{}}'), "keys as null": junk(b'{"keys":null}'), "deep": junk(b"[" * 10000),
    "too many keys": junk(("{\"keys\":[" + ",".join([GOOD_ENTRY] * (MAX_KEYS + 1)) + "]}").encode()),
    "no HTTP": lambda handler: handler.wfile.write(b"SSH-2.0-x\r\n"), "nothing": lambda handler: None,
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
async def test_S11_while_keys_cannot_be_had_the_answer_is_neither_yes_nor_no(site, answer):
    site.answer = BAD_ANSWERS[answer]
    issuer = Issuer(ISSUER, AUDIENCE, keys_of(site, timeout=0.3), ALGORITHMS)
    with pytest.raises(KeysUnavailable) as caught:
        await issuer.claims(SIGNER.token())
    assert isinstance(caught.value, OSError)
    with pytest.raises(KeysUnavailable):
        await issuer.claims(SIGNER.token())
    assert site.asked == 1  # not even a redirect was followed


@pytest.mark.parametrize("answer", ["dripping", "dripping header", "silent"])
async def test_S11_a_fetch_comes_to_its_end_however_slowly_it_is_answered(site, answer):
    site.answer = BAD_ANSWERS[answer]
    fetching = asyncio.create_task(asyncio.to_thread(fetch_url, site.url, 0.3))
    done, _ = await asyncio.wait([fetching], timeout=15)
    assert done  # the answer itself goes on for longer
    with pytest.raises((OSError, HTTPException)):
        fetching.result()


async def test_S11_nobody_at_the_address_is_a_503_too(site, clock):
    site.close()
    issuer = issuer_of(site)
    with pytest.raises(KeysUnavailable):
        await issuer.claims(SIGNER.token())
    with FakeClock(time=clock.time, ticks=clock.ticks):
        with pytest.raises(KeysUnavailable):
            await issuer_of(site).claims(SIGNER.token())


async def test_known_keys_go_on_for_a_day_while_the_issuer_is_down(site, clock):
    issuer = issuer_of(site)
    await issuer.claims(SIGNER.token())
    site.answer = BAD_ANSWERS["500"]
    clock.advance(24 * 3600 - 1)
    assert await issuer.claims(SIGNER.token())
    with pytest.raises(KeysUnavailable):
        await issuer.claims(OTHER.token())
    clock.advance(1)
    with pytest.raises(KeysUnavailable):
        await issuer.claims(SIGNER.token())


async def test_nobody_waits_for_an_issuer_that_is_down_who_can_do_without(site, clock):
    done = threading.Event()

    def when_told(handler):
        done.wait(10)
        send(handler, 500)

    issuer = issuer_of(site)
    await issuer.claims(SIGNER.token())
    site.answer = BAD_ANSWERS["500"]
    clock.advance(600)
    assert await issuer.claims(SIGNER.token())
    site.answer = when_told
    clock.advance(10)
    assert await issuer.claims(SIGNER.token())
    assert issuer.keys._fetching is not None  # and it goes on
    done.set()


async def test_the_issuer_is_asked_again_after_ten_seconds_and_is_back(site, clock):
    site.answer = BAD_ANSWERS["500"]
    issuer = issuer_of(site)
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            await issuer.claims(SIGNER.token())
    assert site.asked == 1
    site.answer = None
    clock.advance(9)
    with pytest.raises(KeysUnavailable):
        await issuer.claims(SIGNER.token())
    clock.advance(1)
    assert await issuer.claims(SIGNER.token())
    assert site.asked == 2


@pytest.mark.parametrize("entry", [
    None, 7, [], {}, {"kty": "EC"}, SIGNER.entry(x="AAAA"), SIGNER.entry(x=None), SIGNER.entry(crv="P-384"),
    SIGNER.entry(crv=7), SIGNER.entry(kty=["EC"]), SIGNER.entry(use="enc"), SIGNER.entry(alg="ES512"),
    SIGNER.entry(alg="HS256"), SIGNER.entry(key_ops=["sign"]), SIGNER.entry(key_ops=7), SIGNER.entry(d="AAAA"),
    SIGNER.entry(x="é" * 43), SIGNER.entry(x=7), {"kty": "oct", "k": "AAAA", "kid": SIGNER.kid, "alg": "HS256"},
    Signer("RS256", SIGNER.kid, rsa.generate_private_key(65537, 1024)).entry(),
    SIGNERS["RS256"].entry(n="AQAB"), SIGNERS["RS256"].entry(e=""), SIGNERS["EdDSA"].entry(crv="X25519"),
    SIGNERS["EdDSA"].entry(x="AAAA"), SIGNER.entry(y=SIGNER.entry()["x"])])
async def test_a_key_that_cannot_be_used_is_left_out(site, entry):
    site.keys = [entry, OTHER.entry()]
    issuer = issuer_of(site)
    assert await issuer.claims(OTHER.token())
    for signer in SIGNERS.values():
        await refused(issuer, signer.token(), InvalidSignature)


@pytest.mark.filterwarnings("ignore:The RSA key")
@pytest.mark.parametrize("weak", [
    Signer("RS256", SIGNERS["RS256"].kid, rsa.generate_private_key(65537, 1024)), SIGNER], ids=["short", "published"])
async def test_a_key_that_others_may_have_is_left_out(site, weak):
    algorithm = jwt.algorithms.ECAlgorithm if weak is SIGNER else jwt.algorithms.RSAAlgorithm
    private = {**algorithm.to_jwk(weak.private, as_dict=True), "kid": weak.kid}
    private.pop("key_ops", None)
    site.keys = [private if weak is SIGNER else weak.entry(), OTHER.entry()]
    issuer = issuer_of(site)
    await refused(issuer, weak.token(), InvalidSignature)
    assert [kid for kid, _ in issuer.keys._keys if kid] == [OTHER.kid]


@pytest.mark.parametrize("url", [
    "http://login.example/keys", "ftp://login.example", "file:///etc/passwd", "login.example", "", "https://",
    "https://app:swordfish@login.example/keys", "https://login.example:99999/keys", "https://login.example:x/keys"])
def test_keys_come_over_https(url):
    with pytest.raises(ValueError):
        KeySet(url)


async def test_another_function_may_fetch(site):
    def fetch(url, timeout):
        return httpx.get(url, timeout=timeout, trust_env=False).content

    keys = KeySet(site.url, allow_http=True, fetch=fetch)
    assert await Issuer(ISSUER, AUDIENCE, keys, ALGORITHMS).claims(SIGNER.token())


# --- in an app ------------------------------------------------------------------------------------

def app_of(issuer, find=None):
    app = Microdot()
    auth = IssuerAuth(issuer, allow_http=True)
    if find:
        auth.authenticate(find)

    @app.get("/")
    @auth
    async def index(request):
        return {"user": request.g.current_user}

    @app.get("/write")
    @auth.requires("write")
    async def write(request):
        return "written"

    return TestClient(app)


def bearer(token):
    return {"Authorization": "Bearer " + token}


async def test_R1_R3_an_app_answers_as_RFC_6750_has_it(site):
    client = app_of(issuer_of(site))
    answer = await client.get("/", headers=bearer(SIGNER.token()))
    assert answer.json == {"user": {"id": "anna", "name": "anna", "scopes": ["read"]}}
    for token in (OTHER.token(), SIGNER.token(aud="doors"), "x.y.z"):
        answer = await client.get("/", headers=bearer(token))
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
            401, 'Bearer realm="Please login", error="invalid_token"')
    answer = await client.get("/write", headers=bearer(SIGNER.token()))
    assert answer.status_code == 403 and 'scope="write"' in answer.headers["WWW-Authenticate"]
    assert (await client.get("/")).headers["WWW-Authenticate"] == 'Bearer realm="Please login"'


async def test_S11_an_app_answers_503_while_the_keys_cannot_be_had(site):
    site.answer = BAD_ANSWERS["500"]
    answer = await app_of(issuer_of(site)).get("/", headers=bearer(SIGNER.token()))
    assert answer.status_code == 503 and answer.headers["Retry-After"]


async def test_an_app_finds_its_own_user(site):
    async def find(request, claims):
        return {"id": 1, "name": "Anna", "scopes": ["read", "write"]} if claims["sub"] == "anna" else None

    client = app_of(issuer_of(site), find)
    assert (await client.get("/write", headers=bearer(SIGNER.token()))).status_code == 403  # the token is for reading
    assert (await client.get("/write", headers=bearer(SIGNER.token(scope="write")))).text == "written"
    assert (await client.get("/", headers=bearer(SIGNER.token(sub="bert")))).status_code == 401

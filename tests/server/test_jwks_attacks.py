"""What was tried on the keys of an outside issuer: neither silence nor a full machine shuts out who is known."""
import asyncio
import json
import threading

import pytest

from dotlatch.server import jwks
from dotlatch.server.jwks import Issuer, KeySet, KeysUnavailable
from dotlatch.tokens import InvalidSignature, TokenError
from tests.portable.clock import FakeClock
from tests.server.test_jwks import ALGORITHMS, AUDIENCE, ISSUER, OTHER, SIGNER, SIGNERS

SET = json.dumps({"keys": [signer.entry() for signer in SIGNERS.values()]}).encode()
QUICK = 0.05  # seconds that a fetch may take; three of them are waited for


class Fetch:
    """Brings the keys, or nothing at all until it is let go."""

    def __init__(self):
        self.count = 0
        self.is_silent = False
        self.let_go = threading.Event()

    def __call__(self, url, timeout):
        self.count += 1
        if self.is_silent:
            self.let_go.wait(30)
            raise OSError("nobody answered")
        return SET


@pytest.fixture
def fetch():
    fetch = Fetch()
    yield fetch
    fetch.let_go.set()


@pytest.fixture
def clock():
    with FakeClock() as clock:
        yield clock


def issuer_of(fetch):
    keys = KeySet("https://login.example/keys", timeout=QUICK, fetch=fetch)
    return Issuer(ISSUER, AUDIENCE, keys, ALGORITHMS)


async def test_S11_known_keys_go_on_while_a_fetch_neither_comes_nor_fails(fetch, clock, monkeypatch):
    """A name server that is silent holds a fetch up for as long as it likes."""
    waits = []
    wait = KeySet._wait

    async def counted(keys, fetching):
        waits.append(fetching)
        await wait(keys, fetching)

    monkeypatch.setattr(KeySet, "_wait", counted)
    issuer = issuer_of(fetch)
    assert await issuer.claims(SIGNER.token())
    fetch.is_silent = True
    clock.advance(3600)
    for _ in range(20):
        assert await issuer.claims(SIGNER.token(exp=clock.time + 60))
    assert fetch.count == 2 and len(waits) == 2  # the first of these alone, and the very first
    with pytest.raises(KeysUnavailable):
        await issuer.claims(OTHER.token(exp=clock.time + 60))
    clock.advance(24 * 3600)
    with pytest.raises(KeysUnavailable):
        await issuer.claims(SIGNER.token(exp=clock.time + 60))


async def test_S11_the_keys_are_back_when_the_fetch_that_hung_has_ended(fetch, clock):
    issuer = issuer_of(fetch)
    fetch.is_silent = True
    with pytest.raises(KeysUnavailable):
        await issuer.claims(SIGNER.token())
    fetch.is_silent = False
    fetch.let_go.set()
    while issuer.keys._fetching is not None:
        await asyncio.sleep(0.01)
    clock.advance(11)
    assert await issuer.claims(SIGNER.token(exp=clock.time + 60))


async def test_S11_a_machine_that_has_no_thread_left_is_a_503_for_now_and_not_for_good(fetch, clock, monkeypatch):
    class Full(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    issuer = issuer_of(fetch)
    with monkeypatch.context() as patched:
        patched.setattr(jwks.threading, "Thread", Full)
        with pytest.raises(KeysUnavailable):
            await issuer.claims(SIGNER.token())
    clock.advance(61)
    assert await issuer.claims(SIGNER.token(exp=clock.time + 60))


async def test_T8_two_issuers_keys_never_serve_for_one_another(clock):
    sets = []
    for signer in (SIGNER, OTHER):
        entry = signer.entry(kid="one name")
        sets.append(json.dumps({"keys": [entry]}).encode())
    mine, theirs = (issuer_of(lambda url, timeout, text=text: text) for text in sets)
    token = SIGNER.token(header={"kid": "one name"})
    assert await mine.claims(token)
    for issuer in (theirs, theirs):
        with pytest.raises(InvalidSignature):
            await issuer.claims(token)
    assert await mine.claims(token)


async def test_T1_a_key_of_another_curve_or_kind_under_the_right_name_is_left_out(clock):
    from cryptography.hazmat.primitives.asymmetric import ec

    from tests.server.test_jwks import Signer
    for curve in (ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()):
        signer = Signer("ES256", "k", ec.generate_private_key(curve))
        for crv in (None, "P-256"):  # as it is, and under a false name
            entry = signer.entry(**({"crv": crv} if crv else {}))
            text = json.dumps({"keys": [entry, SIGNER.entry()]}).encode()
            issuer = issuer_of(lambda url, timeout, text=text: text)
            header = {"kid": "k", "alg": "ES256"}
            token = SIGNER.token(header=header)
            with pytest.raises(TokenError):
                await issuer.claims(token)
            assert await issuer.claims(SIGNER.token())

"""PyJWT and dotlatch read each other on both Pythons, and nothing that was changed is ever accepted."""
import json
import time

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .oracles import KEY, Refused, b64, mint, reference_verdict, same
from .test_json import PIECES, TEXTS, VALUES

REGISTERED = {'exp', 'nbf', 'iat', 'aud', 'iss', 'sub', 'jti', 'dl_boot'}
CLAIMS = st.dictionaries(TEXTS.filter(lambda name: name not in REGISTERED), VALUES, max_size=5)
# What a Unix port with a set clock and CPython both hold for now.
EXAMPLES = [
    {}, {'sub': 'anna'}, {'exp': int(time.time()) + 3600}, {'exp': time.time() + 3600.5, 'nbf': int(time.time()) - 5,
                                                            'iat': int(time.time())},
    {'name': '\xe9\u2603\U0001f511'}, {'\U0001f511': {'\xe9': ['\U0001f600', '\0\x1f\x7f"\\/\b\f\n\r\t']}},
    {'f': [1.5, -0.25, 1e10, 1e-7, 123456.789]}, {'n': [0, -1, 1 << 31, 1 << 63, -(1 << 64)]},
    {'colon': '":,{}[]', 'deep': [[[[{'a': [1, {'b': None}]}]]]]},
    {'scope': ['a', 'b'], 'ok': True, 'no': False, 'nil': None}, {'x' * 500: 'y' * 1500}]


def pyjwt_claims(token):
    return jwt.decode(token, KEY, algorithms=['HS256'])


@pytest.mark.parametrize('claims', EXAMPLES, ids=range(len(EXAMPLES)))
def test_pyjwt_reads_our_tokens(python, claims):
    token = python('encode', KEY, json.dumps(claims).encode())
    assert isinstance(token, bytes) and same(pyjwt_claims(token), claims)
    assert jwt.get_unverified_header(token) == {'alg': 'HS256', 'typ': 'JWT'}


@pytest.mark.parametrize('claims', EXAMPLES, ids=range(len(EXAMPLES)))
def test_ours_reads_pyjwts_tokens(python, claims):
    token = jwt.encode(claims, KEY, 'HS256')
    assert same(json.loads(python('decode', KEY, token)), claims)
    token = jwt.encode(claims, KEY, 'HS256', headers={'kid': 'key 1', 'typ': 'dl-session+jwt'})
    assert python('decode', KEY, token) == 'TokenError'
    assert same(json.loads(python('decode_typ', KEY, 'dl-session+jwt', token)), claims)


@given(CLAIMS)
@settings(max_examples=300)
def test_claims_go_through_both_pythons_and_pyjwt(pythons, claims):
    text = json.dumps(claims, ensure_ascii=False).encode()
    made = {name: python('encode', KEY, text) for name, python in pythons.items()}
    made['pyjwt'] = jwt.encode(claims, KEY, 'HS256').encode()
    for maker, token in made.items():
        assert same(pyjwt_claims(token), claims), maker
        for python in pythons.values():
            got = python('decode', KEY, token)
            assert isinstance(got, bytes) and same(json.loads(got), claims), (maker, python.name, got)


@pytest.mark.parametrize('algorithm', ['HS384', 'HS512', 'none'])
def test_pyjwts_tokens_of_other_algorithms_are_refused(python, algorithm):
    token = jwt.encode({'sub': 'anna'}, KEY * 2 if algorithm != 'none' else None, algorithm)
    assert python('decode', KEY * 2, token) == 'TokenError'


def test_what_pyjwt_calls_expired_or_early_is_refused(python):
    now = int(time.time())
    for claims in ({'exp': now - 1}, {'exp': now}, {'exp': 1}, {'nbf': now + 3600}, {'exp': now + 60, 'nbf': now + 30}):
        token = jwt.encode(claims, KEY, 'HS256')
        with pytest.raises(jwt.PyJWTError):
            pyjwt_claims(token)
        assert python('decode', KEY, token) == 'TokenError', claims


VALID = [mint(b'{"alg":"HS256","typ":"JWT"}', payload) for payload in (b'{}', b'{"sub":"anna"}',
                                                                       b'{"a":[1,2.5,null],"b":"\xc3\xa9"}')]
VALID += [jwt.encode({'sub': 'anna', 'n': '\U0001f511'}, KEY, 'HS256').encode()]


@given(st.sampled_from(VALID), st.data())
@settings(max_examples=1500)
def test_a_changed_token_is_never_accepted_and_never_another_exception(python, token, data):
    changed = bytearray(token)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
        kind = data.draw(st.sampled_from(['flip', 'insert', 'delete', 'swap', 'cut', 'double', 'segment', 'junk']))
        if kind == 'flip' and changed:
            changed[at] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == 'insert':
            changed[at:at] = data.draw(st.sampled_from([b'=', b'.', b'A', b'+', b'/', b' ', b'\n', b'\0', b'\xff',
                                                        b'\xc3\xa9', b'%']))
        elif kind == 'delete':
            del changed[at:at + 1]
        elif kind == 'swap' and changed:
            other = data.draw(st.integers(0, len(changed) - 1))
            changed[at], changed[other] = changed[other], changed[at]
        elif kind == 'cut':
            del changed[at:]
        elif kind == 'double':
            changed[at:at] = changed[at:at + 8]
        elif kind == 'segment':
            parts = bytes(changed).split(b'.')
            changed = bytearray(b'.'.join(data.draw(st.permutations(parts))))
        else:
            changed[at:at + 4] = data.draw(st.binary(max_size=6))
    if bytes(changed) not in VALID:
        assert python('decode', KEY, bytes(changed)) == 'TokenError', bytes(changed)


@given(st.binary(max_size=80) | st.text(max_size=60).map(str.encode) | st.lists(st.binary(max_size=20), min_size=3,
                                                                                max_size=3).map(b'.'.join))
def test_any_bytes_are_refused_with_a_token_error(python, data):
    assert python('decode', KEY, data) == 'TokenError', data


HEADERS = st.fixed_dictionaries({}, optional={
    'alg': st.sampled_from(['HS256', 'HS256', 'HS256', 'none', 'hs256', '', None, 256, ['HS256']]),
    'typ': st.sampled_from(['JWT', 'jwt', 'application/jwt', 'x', '', None, 1, ['JWT'], 'dl-session+jwt']),
    'kid': st.sampled_from(['1', None, 5]), 'crit': st.sampled_from([[], ['exp']]), 'b64': st.booleans(),
    'zip': st.just('DEF'), 'enc': st.just('A128GCM'), 'x': VALUES})


@given(HEADERS | st.just({'alg': 'HS256', 'typ': 'JWT'}), CLAIMS, st.data())
@settings(max_examples=1200)
def test_a_signed_token_with_changes_inside_has_the_verdict_of_the_slow_rules(python, header, claims, data):
    """Another program with the key may write what it wants: both Pythons take the same of it."""
    parts = [json.dumps(header, separators=data.draw(st.sampled_from([(',', ':'), (', ', ': ')]))),
             json.dumps(claims, ensure_ascii=data.draw(st.booleans()), separators=(',', ':'))]
    for i in (0, 1):
        if data.draw(st.integers(0, 2)) == 0:
            at = data.draw(st.integers(0, len(parts[i])))
            parts[i] = parts[i][:at] + data.draw(st.sampled_from(PIECES)) + parts[i][at + data.draw(st.integers(0, 2)):]
    token = mint(*[part.encode() for part in parts])
    try:
        expected = reference_verdict(token)
    except Refused:
        expected = Refused
    got = python('decode', KEY, token)
    if expected is Refused:
        assert got == 'TokenError', (python.name, parts, got)
    elif REGISTERED & expected.keys():
        return  # times and audiences are judged too
    else:
        assert isinstance(got, bytes) and same(json.loads(got), expected), (python.name, parts, got)


@given(st.sampled_from(VALID), st.integers(0, 2), st.sampled_from([b'=', b'==', b'+', b'/', b' ', b'\n', b'\0', b'\xff',
                                                                   b'?', b'.', b'AAAA', b'A']), st.integers(0, 100))
def test_junk_inside_a_signed_part_has_the_verdict_of_the_slow_rules(python, token, part, junk, at):
    parts = token.split(b'.')[:2]
    if part < 2:
        at %= len(parts[part]) + 1
        parts[part] = parts[part][:at] + junk + parts[part][at:]
    import hashlib
    import hmac
    signed = b'.'.join(parts)
    forged = signed + b'.' + b64(hmac.digest(KEY, signed, hashlib.sha256))
    try:
        expected = reference_verdict(forged)
    except Refused:
        assert python('decode', KEY, forged) == 'TokenError', forged
    else:
        assert same(json.loads(python('decode', KEY, forged)), expected)


def test_links_signed_on_one_python_open_on_the_other(pythons):
    for maker in pythons.values():
        for url in ('/log.csv?day=3', '/%C3%A9', '/a%20b'):
            link = maker('sign_url', KEY, url, 60)
            for reader in pythons.values():
                assert reader('check_url', KEY, link) == b'yes', (maker.name, reader.name, link)
                assert reader('check_url', KEY, link.replace(b'expires=1', b'expires=2')) == b'no'
                assert reader('check_url', KEY[::-1], link) == b'no'

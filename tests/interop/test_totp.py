"""Codes and base32 of both Pythons beside pyotp's, hashlib's and the RFCs' rules written once more and slowly."""
import base64
import binascii
import hashlib
import hmac
import struct
import urllib.parse

import pyotp
from hypothesis import given, settings
from hypothesis import strategies as st

from dotlatch import recovery, totp

SECRETS = st.binary(min_size=16, max_size=64)
ALGORITHMS = {'SHA1': hashlib.sha1, 'SHA256': hashlib.sha256}
CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'


def slow_code(key, step, digits, algorithm):
    """RFC 4226 section 5.3, by the letter."""
    mac = hmac.digest(key, struct.pack('>Q', step), ALGORITHMS[algorithm])
    offset = mac[-1] & 0xf
    number = struct.unpack('>I', mac[offset:offset + 4])[0] & 0x7fffffff
    return str(number % 10 ** digits).rjust(digits, '0')


def slow_verify(key, digits, algorithm, time, code, last_step):
    """The latest step of three that has the code, if it is above the last one; 0 for none."""
    steps = [step for step in range(time // 30 - 1, time // 30 + 2) if slow_code(key, step, digits, algorithm) == code]
    return steps[-1] if steps and steps[-1] > last_step else 0


def b32(data):
    return base64.b32encode(data).decode().rstrip('=')


@given(SECRETS, st.integers(0, 2 ** 64 - 1), st.integers(6, 8), st.sampled_from(['SHA1', 'SHA256']))
@settings(max_examples=300)
def test_O1_codes_are_those_of_pyotp_and_of_the_rfc(python, key, step, digits, algorithm):
    expected = slow_code(key, step, digits, algorithm)
    assert pyotp.HOTP(b32(key), digits=digits, digest=ALGORITHMS[algorithm]).at(step) == expected
    stored = f'{algorithm}${digits}${b32(key)}'
    assert python('totp_code', stored, step) == expected.encode()


@given(SECRETS, st.integers(1767225600, 2 ** 40), st.integers(6, 8), st.sampled_from(['SHA1', 'SHA256']),
       st.integers(-3, 3), st.sampled_from([None, -3, -2, -1, 0, 1]))
@settings(max_examples=300)
def test_O2_verdicts_are_those_of_the_slow_rules(python, key, time, digits, algorithm, offset, last_offset):
    code = slow_code(key, time // 30 + offset, digits, algorithm)
    last_step = 0 if last_offset is None else time // 30 + last_offset
    stored = f'{algorithm}${digits}${b32(key)}'
    expected = slow_verify(key, digits, algorithm, time, code, last_step)
    assert python('totp_verify', stored, time, code, last_step) == str(expected).encode()


@given(st.one_of(st.text('0123456789 +-_.\u0660\uff11\xb2\n\0eE', max_size=9), st.text(max_size=8)))
def test_O1_whatever_is_typed_only_the_code_passes(python, typed):
    if any('\ud800' <= c <= '\udfff' for c in typed):
        return
    key, time = b'12345678901234567890', 1800000015
    expected = slow_verify(key, 6, 'SHA1', time, typed, 0)
    assert python('totp_verify', f'SHA1$6${b32(key)}', time, typed, 0) == str(expected).encode()


@given(st.binary(min_size=1, max_size=100))
def test_base32_is_that_of_the_standard_library(python, data):
    assert python('b32_encode', data) == b32(data).encode()
    assert python('b32_decode', b32(data)) == data


@given(st.one_of(st.text('ABCXYZ234567', min_size=1, max_size=18), st.text('AZ27a189=- \n', max_size=10),
                 st.text(max_size=10)))
def test_base32_is_canonical_or_refused(python, text):
    if any('\ud800' <= c <= '\udfff' for c in text):
        return
    try:
        data = base64.b32decode(text + '=' * (-len(text) % 8)) if text.isascii() else b''
    except binascii.Error:
        data = b''
    expected = data if data and b32(data) == text else 'ValueError'
    assert python('b32_decode', text) == expected


@given(st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=64))
def test_pyotp_reads_the_uri_back(python, name, issuer):
    if any('\ud800' <= c <= '\udfff' or c == ':' for c in name + issuer):
        return
    stored = 'SHA256$8$' + b32(b'12345678901234567890')
    uri = python('totp_uri', stored, name, issuer).decode()
    parts = urllib.parse.urlsplit(uri)
    assert (parts.scheme, parts.netloc) == ('otpauth', 'totp')
    assert urllib.parse.unquote(parts.path[1:]) == f'{issuer}:{name}'
    read = pyotp.parse_uri(uri)
    assert (read.issuer, read.digits, read.interval, read.digest) == (issuer, 8, 30, hashlib.sha256)
    assert read.name == name and read.secret == stored[9:]


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_the_portable_sha1_is_hashlibs(python, data):
    assert python('sha1', data) == hashlib.sha1(data).digest()


def slow_spend(code, kept):
    """By Crockford's rules: what stays, or nothing."""
    plain = ''.join({'O': '0', 'I': '1', 'L': '1'}.get(c, c) for c in code.upper() if c not in ' -')
    if not code.isascii() or len(code) > 64 or len(plain) != 16 or set(plain) - set(CROCKFORD):
        return None
    salt, *hashes = kept.split('$')
    mac = hmac.digest(base64.urlsafe_b64decode(salt + '=='), b'dotlatch-recovery\n' + plain.encode(), hashlib.sha256)
    mine = base64.urlsafe_b64encode(mac[:16]).decode().rstrip('=')
    return '$'.join([salt] + [h for h in hashes if h != mine]) if mine in hashes else None


CODES, KEPT = recovery.make(20)


@given(st.sampled_from(CODES), st.lists(st.tuples(st.integers(0, 40), st.sampled_from(
    ['-', ' ', 'O', '0', 'o', 'l', 'I', '1', 'u', '\n', '\u0130', '\u212a', '\xe9', ''])), max_size=3),
    st.sampled_from([str, str.lower, str.swapcase, lambda text: text.replace('-', '')]))
def test_O6_codes_are_read_by_crockfords_rules(python, code, changes, form):
    typed = form(code)
    for place, piece in changes:
        typed = typed[:place] + piece + typed[place + 1:]
    expected = slow_spend(typed, KEPT)
    assert python('spend', typed, KEPT) == ('none' if expected is None else expected).encode()


def test_O6_codes_of_one_python_open_on_the_other(pythons):
    for maker in pythons.values():
        *codes, kept = maker('make_codes', 5).decode().split('\n')
        for python in pythons.values():
            for code in codes:
                assert recovery.count_left(python('spend', code, kept).decode()) == 4


def test_the_names_used_here_are_the_modules_own():
    assert totp.PERIOD == 30 and recovery._ALPHABET == CROCKFORD

"""What others agreed on: Wycheproof, the RFCs and Django. The files are too large for a board's memory."""
import binascii
import sys

from clock import FakeClock

from dotlatch import tokens
from dotlatch.passwords import MAX_ITERATIONS, needs_rehash, pbkdf2_hmac_sha256, verify_password
from dotlatch.portable import Key, b64url_decode, compare_digest, hmac_sha256
from dotlatch.strictjson import loads

FOLDER = __file__.rsplit('/', 2)[0] + '/vectors/'
# Hashing is interpreted there: rows above so many iterations are left out, and how many that leaves is asserted.
MICROPYTHON = sys.implementation.name == 'micropython'
MOST = 20000 if MICROPYTHON else MAX_ITERATIONS


def vectors(name):
    # MicroPython's own reader does not join surrogate pairs.
    with open(FOLDER + name, 'rb') as file:
        return loads(file.read())


def jws_verdict(token, key):
    """'accept', 'reject' or the exception that should never come, of the layer below the claims."""
    try:
        tokens._verified_payload(token, key, 'JWT')
        return 'accept'
    except ValueError:  # the payload's base64 is decoded last, see the next function for what decode() says
        return 'reject'
    except Exception as error:
        return error


def jwt_verdict(token, key):
    try:
        tokens.decode(token, key)
        return 'accept'
    except tokens.TokenError:
        return 'reject'
    except Exception as error:
        return error


def test_T3_wycheproof_jws_rows_have_the_verdict_of_a_strict_reader():
    counts = {'accept': 0, 'reject': 0}
    for group in vectors('wycheproof_jws_hs256.json')['hs256_groups']:
        key = binascii.unhexlify(group['key_hex'])
        for row in group['tests']:
            assert jws_verdict(row['jws'], key) == row['expected'], (row['tcId'], row['comment'])
            assert jwt_verdict(row['jws'], key) == 'reject', (row['tcId'], 'its payload is no JSON object')
            counts[row['expected']] += 1
    assert counts == {'accept': 11, 'reject': 46}, counts


def test_T1_tokens_of_other_algorithms_are_refused_with_any_key():
    document = vectors('wycheproof_jws_hs256.json')
    keys = [Key(binascii.unhexlify(group['key_hex'])) for group in document['hs256_groups']]
    rows = document['non_hs256_must_reject']
    assert len(rows) == 361
    for row in rows:
        for key in keys:
            assert jws_verdict(row['jws'], key) == 'reject', (row['tcId'], row['comment'])
            assert jwt_verdict(row['jws'], key) == 'reject', (row['tcId'], row['comment'])


def test_T2_wycheproof_hmac_tags_are_made_and_wrong_ones_noticed():
    counts = {'valid': 0, 'invalid': 0}
    for group in vectors('wycheproof_hmac_sha256_test.json')['testGroups']:
        size = group['tagSize'] // 8
        for row in group['tests']:
            tag = hmac_sha256(binascii.unhexlify(row['key']), binascii.unhexlify(row['msg']))[:size]
            assert compare_digest(tag, binascii.unhexlify(row['tag'])) is (row['result'] == 'valid'), row['tcId']
            counts[row['result']] += 1
    assert counts == {'valid': 66, 'invalid': 108}, counts


def test_hmac_is_that_of_rfc_4231():
    rows = vectors('rfc_hmac_pbkdf2_sha256.json')['hmac_sha256']
    assert len(rows) == 7
    for row in rows:
        tag = hmac_sha256(binascii.unhexlify(row['key']), binascii.unhexlify(row['msg']))
        assert tag[:row['tag_bits'] // 8] == binascii.unhexlify(row['tag']), row['case']


def test_T1_the_tokens_printed_in_the_rfcs_have_the_verdicts_given_there():
    rows = vectors('rfc_jose_hs256.json')['tests']
    assert len(rows) == 6
    for row in rows:
        key = b64url_decode(row['key_b64url'])
        signed = row.get('signature') == 'valid' or row.get('verdict_as_jws') == 'accept'
        assert jws_verdict(row['token'], key) == ('accept' if signed else 'reject'), row['id']
        assert jwt_verdict(row['token'], key) == 'reject', (row['id'], 'ended in 2011, or no claims')
        changed = 'A' if row['token'][-1:] != 'A' else 'B'
        assert jws_verdict(row['token'][:-1] + changed, key) == 'reject', row['id']


def test_T5_the_token_of_rfc_7519_ends_at_the_second_it_names():
    from dotlatch import portable
    row = vectors('rfc_jose_hs256.json')['tests'][0]
    key = b64url_decode(row['key_b64url'])
    kept = portable.CLOCK_FLOOR
    portable.CLOCK_FLOOR = 0  # the year is 2011
    try:
        with FakeClock(time=row['exp'] - 1) as clock:
            assert tokens.decode(row['token'], key) == row['claims']
            clock.advance(1)
            assert jwt_verdict(row['token'], key) == 'reject'
    finally:
        portable.CLOCK_FLOOR = kept


async def test_P3_pbkdf2_is_that_of_the_rfcs():
    done = 0
    for row in vectors('rfc_hmac_pbkdf2_sha256.json')['pbkdf2_hmac_sha256']:
        if row['iterations'] <= MOST:
            got = await pbkdf2_hmac_sha256(row['password_utf8'].encode(), row['salt_utf8'].encode(), row['iterations'],
                                           row['dklen'])
            assert got == binascii.unhexlify(row['dk']), row
            done += 1
    assert done == (6 if MICROPYTHON else 7), done  # the row of 80,000 iterations is left out there


async def test_P3_djangos_hashes_are_right():
    done = 0
    for row in vectors('django_pbkdf2.json')['accept']:
        if row['iterations'] <= MOST:
            assert await verify_password(row['password'], row['encoded']) is True, row['case']
            assert await verify_password(row['password'] + 'x', row['encoded']) is False, row['case']
            done += 1
    assert done == (25 if MICROPYTHON else 30), done  # those of 100,000 to 1,000,000 are left out there


async def test_P4_what_django_refuses_is_false_at_once_and_never_an_exception():
    rows = vectors('django_pbkdf2.json')['reject']
    assert len(rows) == 21
    for row in rows:
        assert await verify_password(row['password'], row['encoded']) is False, row['case']
    for row in rows[3:15]:
        assert needs_rehash(row['encoded']) in (True, False), row['case']


async def test_P3_the_same_rows_are_refused_after_the_right_ones_were_seen():
    """A memory of what was right a moment ago may not make another salt or count right."""
    document = vectors('django_pbkdf2.json')
    right = document['reject'][0]['encoded']  # of 'password'; the row's own is wrong
    assert await verify_password('password', right) is True
    for row in document['reject']:
        assert await verify_password(row['password'], row['encoded']) is False, row['case']

"""Tokens: what is signed comes back, and nothing else does, whatever it looks like."""
import binascii

from clock import EPOCH_2000, START, UNSET, FakeClock
from microdot import Microdot
from microdot.test_client import TestClient

from dotlatch import tokens
from dotlatch.portable import Key, hmac_sha256
from dotlatch.session import Session, with_session
from dotlatch.tokens import ExpiredToken, InvalidClaim, InvalidSignature, InvalidToken, TokenError, decode, encode

KEY = b'0123456789abcdef0123456789abcdef'
OTHER = b'fedcba9876543210fedcba9876543210'
HEADER = b'{"alg":"HS256","typ":"JWT"}'
CLAIMS = b'{"sub":"anna"}'
ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
YEARS_30 = 30 * 365 * 86400


def b64(data):
    text = binascii.b2a_base64(data).replace(b'\n', b'').replace(b'=', b'')
    return text.replace(b'+', b'-').replace(b'/', b'_')


def signed(coded, key=KEY):
    """A token of these very characters, with the MAC that belongs to them."""
    return (coded + b'.' + b64(hmac_sha256(key, coded))).decode()


def mint(header=HEADER, payload=CLAIMS, key=KEY):
    """A token made by hand, as another program with the same key could send it."""
    return signed(b64(header) + b'.' + b64(payload), key)


def verdict(token, key=KEY, **options):
    """The class of the refusal; the claims when there is none; the exception that should never come."""
    try:
        return decode(token, key, **options)
    except TokenError as error:
        return type(error)
    except Exception as error:
        return error


def refused(got, kind=TokenError):
    return isinstance(got, type) and issubclass(got, kind)


def assert_refused(rows, kind=TokenError, **options):
    """Every row is refused with the documented error, and none with another exception."""
    wrong = [(name, got) for name, got in [(name, verdict(token, **options)) for name, token in rows]
             if not refused(got, kind)]
    assert wrong == [], wrong


def test_claims_come_back_as_they_were():
    rows = [{}, {'sub': 'anna'}, {'a': [1, None, True, False, -1, 1.5, 'x', {'b': {}}]},
            {'n': 1 << 62, 'm': 1795132800}, {'\xe9\u2603': '\U0001f511'},
            {'quote': '"\\/\b\n\t\0', 'colon': '::,{}[]'}, {'iat': START, 'nbf': START, 'exp': START + 1}]
    with FakeClock():
        for claims in rows:
            token = encode(claims, KEY)
            assert decode(token, KEY) == decode(token.encode(), KEY) == claims, claims
            assert token.count('.') == 2 and isinstance(token, str)


def test_a_token_is_what_another_program_would_have_made():
    assert encode({'sub': 'anna'}, KEY) == mint()
    assert verdict(mint(b'{"typ":"JWT","alg":"HS256"}')) == {'sub': 'anna'}
    assert verdict(mint(b' { "typ" : "JWT" ,\r\n "alg" : "HS256" , "kid" : "1" } ',
                        b' {"sub" :"anna" }\n')) == {'sub': 'anna'}


def test_the_claims_that_were_given_are_not_changed():
    claims = {'sub': 'anna'}
    encode(claims, KEY, ttl=60)
    assert claims == {'sub': 'anna'}


# --- T1: one algorithm ------------------------------------------------------------------------------

def test_T1_only_the_exact_algorithm_is_accepted():
    rows = [b'"none"', b'"None"', b'"NONE"', b'"nOnE"', b'""', b'"HS384"', b'"HS512"', b'"RS256"', b'"ES256"',
            b'"PS256"', b'"EdDSA"', b'"hs256"', b'"Hs256"', b'"HS256 "',
            b'" HS256"', b'"HS256\\u0000"', b'"HS25\\uff16"', b'"HS2566"', b'"HS25"', b'["HS256"]', b'{"HS256":1}',
            b'256', b'null', b'true', b'0', b'1.5', b'"A128GCM"', b'"dir"']
    assert_refused([(alg, mint(b'{"alg":' + alg + b',"typ":"JWT"}')) for alg in rows])
    assert_refused([('missing', mint(b'{"typ":"JWT"}')), ('empty header', mint(b'{}')),
                    ('other name', mint(b'{"Alg":"HS256","typ":"JWT"}')),
                    ('twice', mint(b'{"alg":"none","alg":"HS256","typ":"JWT"}')),
                    ('twice, other order', mint(b'{"alg":"HS256","typ":"JWT","alg":"none"}'))])


def test_T1_an_unsigned_token_is_refused():
    for alg in (b'none', b'None', b'HS256', b''):
        coded = (b64(b'{"alg":"' + alg + b'","typ":"JWT"}') + b'.' + b64(CLAIMS)).decode()
        assert_refused([(end, coded + end) for end in ('', '.', '..', '.AA', '.' + 'A' * 43, '. ', '.null')])


# --- T2: the whole MAC, before anything else --------------------------------------------------------

def test_T2_every_bit_of_the_mac_counts():
    token = mint()
    coded = token.encode().rpartition(b'.')[0]
    right = hmac_sha256(KEY, coded)
    for bit in range(256):
        wrong = bytearray(right)
        wrong[bit // 8] ^= 1 << bit % 8
        got = verdict(coded + b'.' + b64(bytes(wrong)))
        assert got is InvalidSignature, (bit, got)


def test_T2_no_part_of_the_mac_is_enough():
    coded = b64(HEADER) + b'.' + b64(CLAIMS)
    right = hmac_sha256(KEY, coded)
    rows = [(size, coded + b'.' + b64(right[:size])) for size in range(32)]
    rows += [('cut', coded + b'.' + b64(right)[:size]) for size in range(43)]
    rows += [('more', coded + b'.' + b64(right + b'\0')), ('twice', coded + b'.' + b64(right) * 2),
             ('of the claims', coded + b'.' + b64(hmac_sha256(KEY, b64(CLAIMS)))),
             ('hex', coded + b'.' + binascii.hexlify(right)), ('not coded', coded + b'.' + right),
             ('other key', mint(key=OTHER))]
    assert_refused(rows)


def test_T2_the_mac_is_checked_before_anything_is_read():
    wrong = '.' + 'A' * 43
    for coded in ('!!.??', '.', 'e30.e30', b64(b'{"alg":"none"}').decode() + '.e30',
                  b64(HEADER).decode() + '.' + b64(b'{"exp":1}').decode(), 'AAAAA.A', 'x.y'):
        assert verdict(coded + wrong) is InvalidSignature, coded


def test_T2_every_change_of_one_character_is_refused():
    token = mint()
    rows = []
    for i in range(len(token)):
        for c in ('A', 'B', '-', '_', '.', '=', '+', ' ', '\0', '\xe9'):
            if not token[i] == c:
                rows.append(((i, c), token[:i] + c + token[i + 1:]))
        rows.append(((i, 'left out'), token[:i] + token[i + 1:]))
        rows.append(((i, 'twice'), token[:i] + token[i] + token[i:]))
        rows.append(((i, 'ends'), token[:i]))
    assert_refused(rows)


# --- T3: one spelling -------------------------------------------------------------------------------

def test_T3_junk_in_base64_is_refused_though_it_is_signed():
    header, payload = b64(HEADER), b64(CLAIMS)
    junk = [b'=', b'==', b'+', b'/', b' ', b'\n', b'\r\n', b'\t', b'\0', b'%3D', b'?', b'#', b'!', b'"', b',',
            b'\xc3\xa9', b'\xff', b'\x80']
    rows = []
    for j in junk:
        for name, place in (('end', lambda text, j=j: text + j), ('start', lambda text, j=j: j + text),
                            ('middle', lambda text, j=j: text[:4] + j + text[4:]),
                            ('instead', lambda text, j=j: text[:5] + j + text[6:])):
            for part, coded in (('header', place(header) + b'.' + payload),
                                ('payload', header + b'.' + place(payload))):
                rows.append(((part, name, j), coded + b'.' + b64(hmac_sha256(KEY, coded))))
    assert_refused(rows)


def test_T3_junk_in_the_mac_is_refused():
    token = mint()
    coded, _, mac = token.rpartition('.')
    rows = []
    for j in ('=', '==', '+', '/', ' ', '\n', '\r\n', '\t', '\0', '%3D', '?', '#', '.', '\xe9', 'A'):
        rows += [((j, 'end'), token + j), ((j, 'start'), coded + '.' + j + mac),
                 ((j, 'middle'), coded + '.' + mac[:20] + j + mac[20:]), ((j, 'before'), j + token)]
    assert_refused(rows)


def test_T3_unused_bits_have_to_be_zero():
    for payload in (b'{"a":1}', b'{"a":12}', b'{"a":123}'):
        header, part = b64(HEADER), b64(payload)
        assert verdict(signed(header + b'.' + part)) == {'a': int(payload[5:-1])}
        taken = [c for c in ALPHABET if not refused(verdict(signed(header + b'.' + part[:-1] + c.encode())))]
        assert part[-1:].decode() in taken and (taken == [part[-1:].decode()] or len(part) % 4 == 0), (payload, taken)
    token = mint()
    assert [c for c in ALPHABET if not refused(verdict(token[:-1] + c))] == [token[-1]]


def test_T3_the_alphabet_of_plain_base64_is_refused():
    found = ''
    for i in range(100):
        token = mint(payload=b'{"sub":"%d"}' % i)
        mac = token.rpartition('.')[2]
        for ours, other in (('-', '+'), ('_', '/')):
            if ours in mac:
                found += ours
                assert refused(verdict(token[:-len(mac)] + mac.replace(ours, other))), token
    assert '-' in found and '_' in found
    part = b64(b'{"sub":"\xc3\xbf\xc3\xbf\xc3\xbf>>>???"}')
    plain = part.replace(b'-', b'+').replace(b'_', b'/')
    assert plain != part and refused(verdict(signed(b64(HEADER) + b'.' + plain)))


# --- T4: three parts, strict JSON, a size --------------------------------------------------------------

def test_T4_anything_but_three_parts_is_refused():
    token = mint()
    header, payload, mac = token.split('.')
    rows = ['', '.', '..', '...', 'a', 'a.b', 'a.b.c', 'a.b.c.d', header, header + '.' + payload, header + '..' + mac,
            '.' + payload + '.' + mac, '..' + mac, token + '.', '.' + token,
            token + '.' + mac, token + '..', token + '.' + token, token + ' ', ' ' + token, token + '\n',
            'Bearer ' + token, token + ';', '"' + token + '"', token.replace('.', ','), token.replace('.', '\u3002')]
    assert_refused([(row, row) for row in rows])
    for coded in (b'', b'.', b'a', b'..', b'a.b.c', header.encode(), payload.encode(), header.encode() + b'.',
                  b'.' + payload.encode()):
        assert refused(verdict(signed(coded))), coded


def test_T4_what_is_no_text_is_refused_as_a_token():
    rows = [None, True, 0, 5, 1.5, [], {}, (), object(), b'', bytearray(mint().encode()), memoryview(mint().encode()),
            [mint()], mint, Key(KEY), {'a': 1}, '\ud800', mint() + '\udfff', '\ud800.\ud800.\ud800', b'\xff.\xff.\xff']
    assert_refused([(repr(row), row) for row in rows])


def test_T4_claims_and_header_are_json_objects():
    rows = [b'', b'[]', b'"x"', b'1', b'null', b'true', b'[{}]', b'[["sub","anna"]]', b'{', b'}', b'{}{}', b'{},', b'x',
            b'foo', b'\0', b'"{}"', b'{"a":1,}', b'{a:1}', b"{'a':1}", b'{"a":NaN}',
            b'{"a":Infinity}', b'{"a":1e999}', b'{"a":01}', b'{"a":1.}', b'{"a":"\n"}', b'{"a":"\\x"}',
            b'{"a":"\\ud800"}', b'{"a":1}x', b'{"a":1}\0', b'// {}', b'{"a":1 "b":2}', b'{"a" 1}', b'{1:2}',
            b'{"a":[1}']
    assert_refused([(('claims', row), mint(payload=row)) for row in rows], InvalidToken)
    assert_refused([(('header', row), mint(row)) for row in rows])
    assert_refused([(('header', row), mint(b'{"alg":"HS256","typ":"JWT","x":'
                                           + row[5:])) for row in rows if row.startswith(b'{"a":')])


def test_T4_two_equal_names_are_refused():
    rows = [b'{"a":1,"a":2}', b'{"a":1,"a":1}', b'{"exp":9999999999,"exp":1}', b'{"a":1,"\\u0061":2}',
            b'{"x":{"a":1,"a":2}}', b'{"x":[{"a":1,"a":2}]}', b'{"aud":"x","aud":"y"}', b'{"a":":","a":2}']
    assert_refused([(row, mint(payload=row)) for row in rows], InvalidToken)
    assert_refused([(row, mint(b'{"alg":"HS256","typ":"JWT",' + row[1:])) for row in rows], InvalidToken)
    assert_refused([('typ', mint(b'{"alg":"HS256","typ":"JWT","typ":"JWT"}')),
                    ('alg', mint(b'{"alg":"HS256","alg":"HS256"}')),
                    ('kid', mint(b'{"alg":"HS256","kid":"a","kid":"b"}'))])


def test_T4_text_that_is_not_utf8_is_refused():
    for bad in (b'\xff', b'\xc0\xba', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xe2\x98', b'\x80',
                b'\xed\xa0\xbd\xed\xb4\x91'):
        assert_refused([(bad, mint(payload=b'{"a":"' + bad + b'"}')), (bad, mint(payload=b'{"' + bad + b'":1}')),
                        (bad, mint(payload=b'{"a"' + bad + b'1}')),
                        (bad, mint(b'{"alg":"HS256","x":"' + bad + b'"}'))])
    assert_refused([('BOM', mint(payload=b'\xef\xbb\xbf{}')), ('BOM', mint(b'\xef\xbb\xbf' + HEADER)),
                    ('UTF-16', mint(payload=b'{\0}\0')), ('UTF-16', mint(payload=b'\xff\xfe{\0}\0'))])


def test_T4_deep_nesting_is_refused_and_not_a_crash():
    for depth in (33, 100, 950, 980, 990, 1000, 1400):
        assert_refused([(depth, mint(payload=b'{"a":' + b'[' * depth + b']' * depth + b'}')),
                        (depth, mint(payload=b'[' * depth)),
                        (depth, mint(b'{"alg":"HS256","x":' + b'[' * depth + b']' * depth + b'}'))])
        half = depth // 2
        assert_refused([(depth, mint(payload=b'{"a":"\\u0041","b":' + b'[' * half + b'"x"' + b']' * half
                                     + b'}'))] if half > 32 else [])


def sized(length):
    """A valid token of so many bytes, or of one or two fewer where base64 has no such length."""
    empty = len(mint(payload=b'{"a":""}'))
    filler = (length - empty) * 3 // 4
    while len(mint(payload=b'{"a":"' + b'x' * filler + b'"}')) > length:
        filler -= 1
    return mint(payload=b'{"a":"' + b'x' * filler + b'"}')


class Counted(Key):
    """A key that knows how often it was used."""
    def __init__(self, secret):
        super().__init__(secret)
        self.count = 0

    def sign(self, message):
        self.count += 1
        return super().sign(message)


def test_T4_tokens_up_to_4_kilobytes_are_read():
    lengths = []
    for length in (1000, 4090, 4094, 4095, 4096):
        token = sized(length)
        lengths.append(len(token))
        assert isinstance(verdict(token), dict), length
    assert 4096 in lengths


def test_T4_larger_tokens_are_refused_before_anything_is_computed():
    key = Counted(KEY)
    decode(sized(4096), key)
    assert key.count > 0
    key.count = 0
    for token in (sized(4100), mint() + 'A' * 4096, 'A' * 5000, '.' * 5000, 'a.b.' + 'c' * 10000, b'.' * 5000,
                  sized(4100).encode()):
        assert len(token) > 4096
        assert verdict(token, key) is InvalidToken, token[:20]
    assert key.count == 0


def test_T4_a_token_that_nobody_would_read_is_not_made():
    for size in (3100, 4096, 20000):
        try:
            encode({'a': 'x' * size}, KEY)
            raise AssertionError(size)
        except ValueError:
            pass
    token = encode({'a': 'x' * 2900}, KEY)
    assert len(token) <= 4096 and decode(token, KEY) == {'a': 'x' * 2900}


# --- T5: times ----------------------------------------------------------------------------------------

def claims_with(name, value):
    return mint(payload=b'{"' + name + b'":' + value + b'}')


def test_T5_a_time_that_is_no_finite_number_is_refused():
    values = [b'true', b'false', b'null', b'"1"', b'"9999999999"', b'""', b'[]', b'[9999999999]', b'{}', b'{"a":1}',
              b'1e999', b'-1e999', b'NaN', b'Infinity', b'-Infinity', b'1e400', b'"2026-11-20"', b'"Infinity"',
              b'"1e999"']
    with FakeClock():
        for name in (b'exp', b'nbf', b'iat'):
            assert_refused([((name, value), claims_with(name, value)) for value in values], InvalidToken)


def test_T5_a_token_ends_at_the_second_it_names():
    with FakeClock():
        for value, taken in ((START - 1, False), (START, False), (START + 1, True), (0, False), (-1, False),
                             (-(1 << 62), False), (START - YEARS_30, False), (START + YEARS_30, True), (1 << 62, True),
                             (10 ** 40, True)):
            got = verdict(claims_with(b'exp', b'%d' % value if abs(value) < 1 << 60 else str(value).encode()))
            assert got == {'exp': value} if taken else got is ExpiredToken, (value, got)


def test_T5_a_token_begins_at_the_second_it_names():
    with FakeClock():
        for value, taken in ((START - 1, True), (START, True), (START + 1, False), (0, True), (-5, True),
                             (1 << 62, False), (10 ** 40, False)):
            got = verdict(claims_with(b'nbf', str(value).encode()))
            assert got == {'nbf': value} if taken else got is InvalidClaim, (value, got)


def test_T5_times_may_have_a_fraction_or_an_exponent():
    with FakeClock():
        for name, value, taken in ((b'exp', b'1e18', True), (b'exp', b'1.5', False), (b'exp', b'-1.5e3', False),
                                   (b'nbf', b'1.5', True), (b'nbf', b'1e18', False), (b'iat', b'1795132800.25', True),
                                   (b'exp', b'1e30', True), (b'nbf', b'1e30', False)):
            assert refused(verdict(claims_with(name, value))) is not taken, (name, value)


def test_T5_leeway_moves_both_ends():
    with FakeClock():
        for name, value, leeway, taken in ((b'exp', START - 9, 10, True), (b'exp', START - 10, 10, False),
                                           (b'nbf', START + 10, 10, True), (b'nbf', START + 11, 10, False),
                                           (b'exp', START, 1, True)):
            assert refused(verdict(claims_with(name, b'%d' % value), leeway=leeway)) is not taken, (name, value, leeway)


def test_T5_ttl_counts_from_now():
    with FakeClock() as clock:
        token = encode({'sub': 'anna'}, KEY, ttl=60)
        assert decode(token, KEY) == {'sub': 'anna', 'iat': START, 'exp': START + 60}
        clock.advance(59)
        assert decode(token, KEY)['sub'] == 'anna'
        clock.advance(1)
        assert verdict(token) is ExpiredToken


def test_T5_wrong_times_are_refused_when_a_token_is_made():
    infinity = float('inf')
    rows = [({'exp': True}, None), ({'exp': '1'}, None), ({'nbf': None}, None), ({'iat': [1]}, None),
            ({'exp': infinity}, None), ({'exp': START + 5}, 60), ({}, 1.5), ({}, '60'), ({}, True)]
    with FakeClock():
        for claims, ttl in rows:
            try:
                token = encode(claims, KEY, ttl=ttl)
            except (ValueError, TypeError):
                continue
            raise AssertionError((claims, ttl, token))


# --- T6: header parameters that change the meaning ------------------------------------------------------

def test_T6_parameters_that_change_what_is_signed_are_refused():
    rows = [b'"crit":["exp"]', b'"crit":[]', b'"crit":["b64"],"b64":false', b'"crit":null', b'"crit":"x"', b'"crit":{}',
            b'"crit":["x"],"x":1', b'"b64":false', b'"b64":true', b'"b64":null', b'"zip":"DEF"', b'"zip":null',
            b'"enc":"A128GCM"', b'"enc":""', b'"cty":"JWT"', b'"cty":"jwt"', b'"cty":"application/jwt"',
            b'"cty":"Application/JWT"']
    assert_refused([(row, mint(b'{"alg":"HS256","typ":"JWT",' + row + b'}')) for row in rows])


def test_T6_a_token_inside_a_token_is_refused():
    inner = mint().encode()
    assert_refused([('bare', mint(payload=inner)), ('text', mint(payload=b'"' + inner + b'"')),
                    ('cty', mint(b'{"alg":"HS256","typ":"JWT","cty":"JWT"}', inner))])


def test_T6_no_header_chooses_the_key():
    evil = b64(OTHER)
    rows = [b'"jwk":{"kty":"oct","k":"' + evil + b'"}', b'"jku":"http://evil.example/keys.json"',
            b'"x5u":"http://evil.example/x"', b'"x5c":["' + evil + b'"]', b'"kid":"../../../dev/null"', b'"kid":"0"',
            b'"kid":1', b'"kid":null', b'"x5t":"x"', b'"k":"' + evil + b'"']
    for row in rows:
        header = b'{"alg":"HS256","typ":"JWT",' + row + b'}'
        assert verdict(mint(header, key=OTHER)) is InvalidSignature, row
        assert refused(verdict(mint(header, key=b'\0'))), row
        got = verdict(mint(header))
        assert got == {'sub': 'anna'} or refused(got), (row, got)


# --- T7, T8: for this purpose and this device ------------------------------------------------------------

PURPOSES = ['JWT', 'session+jwt', 'remember+jwt', 'reset+jwt', 'csrf+jwt', 'claim+jwt', 'at+jwt', 'invite+jwt', 'x']


def test_T7_a_token_of_one_purpose_serves_no_other():
    for made in PURPOSES:
        token = encode({'sub': 'anna'}, KEY, typ=made)
        for asked in PURPOSES:
            got = verdict(token, typ=asked)
            assert got == {'sub': 'anna'} if made == asked else got is InvalidClaim, (made, asked, got)


def test_T7_a_token_without_a_purpose_passes_for_plain_jwt_only():
    token = mint(b'{"alg":"HS256"}')
    assert verdict(token) == {'sub': 'anna'}
    for asked in PURPOSES[1:]:
        assert verdict(token, typ=asked) is InvalidClaim, asked


def test_T7_purposes_compare_as_media_types():
    rows = [(b'jwt', 'JWT', True), (b'Jwt', 'JWT', True), (b'application/jwt', 'JWT', True),
            (b'APPLICATION/JWT', 'JWT', True), (b'JWT', 'application/jwt', True), (b'Session+JWT', 'session+jwt', True),
            (b'application/session+jwt', 'session+jwt', True), (b'session+jwt', 'application/Session+jwt', True),
            (b'application/application/jwt', 'JWT', False), (b'text/jwt', 'JWT', False),
            (b'application/a/b', 'a/b', False),
            (b'jwt ', 'JWT', False), (b' jwt', 'JWT', False), (b'jwt;x=1', 'JWT', False), (b'', 'JWT', False),
            (b'application/', 'JWT', False), (b'session+jw', 'session+jwt', False),
            (b'session+jwtt', 'session+jwt', False),
            (b'session jwt', 'session+jwt', False), (b'\\u0000JWT', 'JWT', False),
            ('to\u212aen'.encode(), 'token', False), ('\u017fession'.encode(), 'session', False)]
    for made, asked, taken in rows:
        got = verdict(mint(b'{"alg":"HS256","typ":"' + made + b'"}'), typ=asked)
        assert got == {'sub': 'anna'} if taken else refused(got), (made, asked, got)


def test_T7_a_purpose_that_is_no_text_is_refused():
    for typ in (b'null', b'true', b'1', b'[]', b'["JWT"]', b'{}', b'{"JWT":1}', b'""'):
        assert_refused([(typ, mint(b'{"alg":"HS256","typ":' + typ + b'}'))])
        assert_refused([(typ, mint(b'{"alg":"HS256","typ":' + typ + b'}'))], typ='session+jwt')


def test_T7_a_purpose_that_is_given_has_to_be_a_text():
    for typ in (None, '', 5, b'JWT', ['JWT']):
        for made in (mint(), mint(b'{"alg":"HS256"}')):
            try:
                got = decode(made, KEY, typ=typ)
            except (TypeError, ValueError):
                continue
            raise AssertionError((typ, got))


def test_T7_signed_links_and_tokens_are_no_substitute_for_each_other():
    link = tokens.sign_url('/a?b=c', KEY, 60)
    mac = link.rpartition('signature=')[2]
    message = b64(HEADER) + b'.' + b64(CLAIMS)
    assert_refused([('link', link), ('MAC', message + b'.' + mac.encode())])
    for token in (mint(), encode({}, KEY, ttl=60)):
        assert tokens.check_url('/a?b=c&expires=9999999999&signature=' + token.rpartition('.')[2], KEY) is False
        assert tokens.check_url(token, KEY) is False


def test_T8_the_token_of_one_device_is_refused_by_another():
    token = encode({'sub': 'anna'}, KEY)
    for key in (OTHER, KEY + b'0', KEY[:-1], KEY.decode().upper(), [OTHER], [OTHER, b'x'], Key(OTHER)):
        assert verdict(token, key) is InvalidSignature, key


def test_T8_the_audience_has_to_be_named_exactly():
    rows = [(b'"device-1"', 'device-1', True), (b'["device-1"]', 'device-1', True),
            (b'["a","device-1","b"]', 'device-1', True), (b'"device-2"', 'device-1', False),
            (b'"device-1"', None, False), (b'[]', None, False), (b'""', None, False),
            (b'null', None, False), (b'5', None, False), (b'["device-1"]', None, False), (b'[]', 'device-1', False),
            (b'"Device-1"', 'device-1', False), (b'"device-1 "', 'device-1', False),
            (b'"device-10"', 'device-1', False),
            (b'"device"', 'device-1', False), (b'["device-1x"]', 'device-1', False),
            (b'"x device-1"', 'device-1', False), (b'null', 'device-1', False), (b'1', 'device-1', False),
            (b'{"device-1":1}', 'device-1', False),
            (b'[["device-1"]]', 'device-1', False), (b'{}', 'device-1', False), (b'true', 'device-1', False),
            (b'[null]', 'device-1', False), (b'"d"', 'device-1', False), (b'"*"', 'device-1', False),
            (b'""', 'device-1', False)]
    for aud, audience, taken in rows:
        got = verdict(mint(payload=b'{"aud":' + aud + b'}'), audience=audience)
        assert isinstance(got, dict) if taken else refused(got), (aud, audience, got)
    assert verdict(mint(), audience='device-1') is InvalidClaim
    assert verdict(mint(), audience='') is InvalidClaim


def test_T8_the_issuer_has_to_be_the_expected_one():
    for iss, issuer, taken in ((b'"home"', 'home', True), (b'"home"', None, True), (b'"Home"', 'home', False),
                               (b'"homes"', 'home', False), (b'["home"]', 'home', False), (b'null', 'home', False),
                               (b'1', 'home', False), (b'true', 'home', False), (b'""', 'home', False)):
        got = verdict(mint(payload=b'{"iss":' + iss + b'}'), issuer=issuer)
        assert isinstance(got, dict) if taken else got is InvalidClaim, (iss, issuer, got)
    assert verdict(mint(), issuer='home') is InvalidClaim


# --- T9: keys --------------------------------------------------------------------------------------------

def raises(error, f, *args, **options):
    try:
        f(*args, **options)
    except error:
        return True
    return False


def test_T9_an_empty_key_is_refused_by_everything():
    for key in ('', b'', [], (), [''], [KEY, ''], [b'', KEY]):
        assert raises(ValueError, tokens.make_keys, key), key
        assert raises(ValueError, encode, {}, key), key
        assert raises(ValueError, decode, mint(), key), key
        assert raises(ValueError, tokens.sign_url, '/x', key, 60), key
    for key in (None, 5, [None], [KEY, 5], {}, {'k': KEY}, True):
        assert raises((TypeError, ValueError), tokens.make_keys, key), key
        assert raises((TypeError, ValueError), encode, {}, key), key


def test_T9_a_wrong_key_of_the_app_is_not_blamed_on_the_token():
    for key in ('', b'', [], [KEY, '']):
        got = verdict(mint(), key)  # every visitor would be anonymous, and nobody would learn why
        assert isinstance(got, ValueError) and not isinstance(got, TokenError), (key, got)


def test_T9_a_session_refuses_short_keys_when_asked_to():
    for key in ('', b''):
        assert raises(ValueError, lambda key=key: Session(Microdot(), key).keys), key
    for key in ('x', 'x' * 31, b'x' * 31, [KEY, 'x' * 31], ['x', KEY], 'top-secret', '\xe9' * 15):
        assert raises(ValueError, Session, Microdot(), key, require_strong_key=True), key
    for key in (KEY, KEY.decode(), [KEY, OTHER], b'x' * 33, '\xe9' * 16):
        Session(Microdot(), key, require_strong_key=True)


def test_T9_a_short_key_works_with_one_warning():
    from dotlatch import portable
    told = []
    kept = portable.warn, portable._warned
    portable.warn, portable._warned = told.append, []
    try:
        for _ in range(3):
            session = Session(Microdot(), 'top-secret')
            assert session.decode(session.encode({'a': 1})) == {'a': 1}
        Session(Microdot(), KEY)
    finally:
        portable.warn, portable._warned = kept
    assert len(told) == 1 and '32' in told[0] and 'top-secret' not in told[0], told


def test_T9_keys_rotate_the_first_signs_and_all_verify():
    new, old = KEY, OTHER
    token = encode({'sub': 'anna'}, old)
    assert verdict(token, [new, old]) == {'sub': 'anna'}
    assert verdict(token, (new, Key(old))) == {'sub': 'anna'}
    again = encode({'sub': 'anna'}, [new, old])
    assert verdict(again, new) == {'sub': 'anna'} and verdict(again, old) is InvalidSignature
    assert verdict(token, [new]) is InvalidSignature


def test_T9_the_list_of_keys_has_a_bound():
    assert verdict(mint(), [b'%d' % i for i in range(7)] + [KEY]) == {'sub': 'anna'}
    assert raises(ValueError, tokens.make_keys, [b'%d' % i for i in range(1000)])


# --- T11: data is only data ----------------------------------------------------------------------------------

async def test_T11_session_data_named_like_a_claim_is_only_data():
    app = Microdot()
    Session(app, secret_key=KEY)
    values = {'exp': 1, 'nbf': '2036', 'iat': None, 'aud': 'x', 'sub': 5, 'iss': 5, 'jti': 0, 'typ': 'remember+jwt',
              'alg': 'none', 'crit': ['x'], 'data': {'data': 1}, 'dl_boot': [1, 2]}

    @app.get('/set/<name>')
    @with_session
    async def keep(request, session, name):
        session[name] = values[name]
        session.save()
        return 'kept'

    @app.get('/get')
    @with_session
    async def show(request, session):
        return dict(session.items())

    for name in values:
        client = TestClient(app)
        await client.get('/set/' + name)
        assert (await client.get('/get')).json == {name: values[name]}, name
    client = TestClient(app)
    for name in values:
        assert (await client.get('/set/' + name)).status_code == 200
    assert (await client.get('/get')).json == values


def test_T11_claims_of_the_app_are_kept_beside_the_lifetime():
    with FakeClock():
        assert decode(encode({'data': {'exp': 1, 'iat': 'x'}}, KEY, ttl=5), KEY) == {'data': {'exp': 1, 'iat': 'x'},
                                                                                     'iat': START, 'exp': START + 5}


# --- H1, L5: clocks ----------------------------------------------------------------------------------------------

def test_H1_tokens_carry_unix_seconds_on_every_port():
    with FakeClock(epoch=EPOCH_2000):
        assert decode(encode({}, KEY, ttl=60), KEY) == {'iat': START, 'exp': START + 60}


def test_H1_a_token_from_elsewhere_that_has_ended_is_refused_on_either_epoch():
    for epoch in (0, EPOCH_2000):
        with FakeClock(epoch=epoch):
            assert verdict(claims_with(b'exp', b'%d' % (START - 3600))) is ExpiredToken, epoch
            assert verdict(claims_with(b'exp', b'%d' % (START - 3600 - EPOCH_2000))) is ExpiredToken, epoch


def test_H1_without_a_clock_a_token_with_times_is_refused():
    for time, epoch in ((UNSET, 0), (EPOCH_2000, EPOCH_2000), (0, 0), (EPOCH_2000 + 60, EPOCH_2000)):
        with FakeClock(time=time, epoch=epoch):
            for value in (START + YEARS_30, START, 1):
                assert verdict(claims_with(b'exp', b'%d' % value)) is ExpiredToken, (time, value)
                assert refused(verdict(claims_with(b'nbf', b'%d' % value))), (time, value)
            assert verdict(claims_with(b'exp', b'%d' % (time + 60)), leeway=1 << 40) is ExpiredToken
            assert verdict(mint()) == {'sub': 'anna'}


def test_H1_without_a_clock_tokens_end_by_the_uptime_of_this_boot():
    with FakeClock(time=UNSET, ticks=(1 << 30) - 30000) as clock:
        token = encode({'sub': 'anna'}, KEY, ttl=60)
        for _ in range(59):
            assert decode(token, KEY)['sub'] == 'anna'
            clock.advance(1)
        clock.advance(2)
        assert verdict(token) is ExpiredToken


def test_H1_a_token_of_another_boot_is_refused():
    with FakeClock(time=UNSET):
        token = encode({'sub': 'anna'}, KEY, ttl=60)
        assert decode(token, KEY)['sub'] == 'anna'
        kept = tokens.BOOT_ID
        tokens.BOOT_ID = 'another' + kept[7:]
        try:
            assert verdict(token) is ExpiredToken
        finally:
            tokens.BOOT_ID = kept


def test_H1_a_boot_claim_of_another_shape_is_refused():
    name = tokens.BOOT_CLAIM.encode()
    boot = tokens.BOOT_ID.encode()
    rows = [b'null', b'5', b'0', b'""', b'"' + boot + b'"', b'[]', b'{}', b'false', b'true', b'["' + boot + b'"]',
            b'["' + boot + b'",99999999999,1]', b'["' + boot + b'","99999999999"]', b'["' + boot + b'",true]',
            b'["' + boot + b'",null]', b'["' + boot + b'",1e18]',
            b'["' + boot + b'",[99999999999]]', b'["",99999999999]', b'[null,99999999999]',
            b'[99999999999,"' + boot + b'"]', b'{"0":"' + boot + b'","1":99999999999}', b'["' + boot + b'",-1]',
            b'["' + boot + b'",0]', b'["x",99999999999]']
    for time in (UNSET, START):
        with FakeClock(time=time, ticks=5000):
            assert_refused([(row, claims_with(name, row)) for row in rows])
            assert isinstance(verdict(claims_with(name, b'["' + boot + b'",99999999999]')), dict)


def test_L5_setting_the_clock_neither_ends_nor_lengthens_a_token_of_this_boot():
    for steps in ((START, START + YEARS_30, START - YEARS_30), (START - YEARS_30,), (START + YEARS_30, START)):
        with FakeClock(time=UNSET) as clock:
            token = encode({'sub': 'anna'}, KEY, ttl=100)
            for time in steps:
                clock.set(time)
                assert decode(token, KEY)['sub'] == 'anna', time
            clock.advance(101)
            assert verdict(token) is ExpiredToken, steps


def test_L5_a_token_made_while_the_clock_was_set_is_refused_once_it_is_lost():
    with FakeClock() as clock:
        token = encode({'sub': 'anna'}, KEY, ttl=100)
        clock.set(UNSET)
        assert verdict(token) is ExpiredToken
        clock.set(START + 5)
        assert decode(token, KEY)['sub'] == 'anna'


# --- errors -----------------------------------------------------------------------------------------------------------

def test_H3_errors_quote_neither_token_nor_key():
    with FakeClock():
        rows = [mint(key=OTHER), mint(payload=b'{"hunter22":1,"hunter22":2}'), mint(b'{"alg":"hunter22"}'),
                mint(b'{"alg":"HS256","typ":"hunter22"}'), mint(payload=b'{"aud":"hunter22"}'),
                mint(payload=b'{"exp":1,"x":"hunter22"}'), 'hunter22', 'hunter22' * 1000, mint(payload=b'hunter22'),
                mint(payload=b'{"exp":"hunter22"}'), '\ud800hunter22']
        for token in rows:
            try:
                decode(token, KEY)
                raise AssertionError('accepted: ' + token[:60])
            except TokenError as error:
                text = str(error) + repr(error)
                assert 'hunter22' not in text and KEY.decode() not in text and token[:10] not in text, text


def test_every_refusal_is_a_token_error_and_so_a_value_error():
    for error in (InvalidToken, InvalidSignature, ExpiredToken, InvalidClaim):
        assert issubclass(error, TokenError)
    assert issubclass(TokenError, ValueError)


def test_claims_that_json_cannot_carry_are_a_type_error():
    for claims in ({'a': b'x'}, {'a': {1}}, {1: 'a'}, {'a': float('inf')}, {'a': object()}, {'a': '\ud800'}):
        assert raises(TypeError, encode, claims, KEY), claims

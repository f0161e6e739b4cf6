"""Clocks, random bytes, HMAC, strict base64 and callbacks are the same on every Python and port."""
import asyncio
import gc
import hashlib
import random

from clock import EPOCH_2000, START, UNSET, FakeClock

from dotlatch import noviper, portable
from dotlatch.portable import (
    Key,
    b64_decode,
    b64url_decode,
    b64url_encode,
    call,
    hmac_sha256,
    now,
    random_bytes,
    random_id,
    signature,
    uptime_ms,
    utf8,
)

# What stands behind these names depends on the Python, and on MicroPython on the port.
BOTH = (portable, noviper)
YEARS_30 = 30 * 365 * 86400


def error_of(f, *args):
    """The class of the exception, or what was returned."""
    try:
        return f(*args)
    except ValueError:
        return ValueError
    except Exception as error:
        return type(error)


# --- clocks ---------------------------------------------------------------------------------------

def test_H1_time_is_unix_seconds_as_an_int_on_either_epoch():
    for epoch in (0, EPOCH_2000):
        with FakeClock(epoch=epoch) as clock:
            assert now() == START and type(now()) is int, epoch
            clock.advance(1)
            assert now() == START + 1, epoch
    with FakeClock(time=START + 0.9):
        assert now() == START and type(now()) is int


def test_H1_a_clock_that_nobody_set_is_none():
    rows = [('ESP32', 946684800, EPOCH_2000), ('ESP32, running for a day', 946684800 + 86400, EPOCH_2000),
            ('RP2040', UNSET, 0), ('Unix epoch', 0, 0), ('RP2040, running for a year', UNSET + YEARS_30 // 30, 0),
            ('before its epoch', -5, 0), ('2025', 1767225599, 0)]
    for name, time, epoch in rows:
        with FakeClock(time=time, epoch=epoch):
            assert now() is None, name
    with FakeClock(time=1767225600):
        assert now() == 1767225600


def test_H1_the_ports_own_clock_gives_an_int_or_none():
    assert now() is None or type(now()) is int
    assert type(uptime_ms()) is int


def test_L5_setting_the_clock_does_not_move_uptime():
    with FakeClock() as clock:
        before = uptime_ms()
        for time in (START + YEARS_30, START - YEARS_30, UNSET, START):
            clock.set(time)
            assert uptime_ms() == before, time
        clock.advance(1.5)
        assert uptime_ms() == before + 1500


def test_L5_uptime_goes_on_when_the_ticks_start_again():
    for ticks in (0, (1 << 30) - 100, (1 << 30) - 1, (1 << 29) - 50, 5 * (1 << 30) - 1):
        with FakeClock(ticks=ticks) as clock:
            start = uptime_ms()
            for step in range(1, 400):
                clock.advance(1)
                assert uptime_ms() - start == step * 1000, (ticks, step)


def test_L5_uptime_is_right_over_a_year_of_boards_ticks():
    with FakeClock() as clock:
        start = uptime_ms()
        for _ in range(40):
            clock.advance(10 * 86400)
            uptime_ms()
        assert uptime_ms() - start == 400 * 86400 * 1000


def test_L5_uptime_never_goes_back():
    last = uptime_ms()
    for _ in range(1000):
        current = uptime_ms()
        assert current >= last
        last = current


# --- random bytes -----------------------------------------------------------------------------------

def room_for(many, few):
    """As many as the table of rules says where memory is large; a board keeps fewer."""
    return few if hasattr(gc, 'mem_free') and gc.mem_free() < 20000000 else many


def test_S1_ids_have_128_bits_of_base64url():
    alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for _ in range(100):
        id = random_id()
        assert len(id) == 22 and len(b64url_decode(id)) == 16
        for c in id:
            assert c in alphabet, id


def test_S1_a_hundred_thousand_ids_are_all_different():
    ids = [random_id() for _ in range(room_for(100000, 300))]
    ids.sort()  # a set of so many is slow on MicroPython, whose hashes have 16 bits
    for i in range(len(ids) - 1):
        assert ids[i] < ids[i + 1], ids[i]


def test_S1_ids_do_not_come_from_the_random_module():
    def draw():
        random.seed(7)
        return random_id(), random_bytes(16)
    first, second = draw(), draw()
    assert not first[0] == second[0] and not first[1] == second[1]


def test_S1_every_bit_of_an_id_changes():
    ones, zeros = 0, 0
    for _ in range(200):
        number = int.from_bytes(random_bytes(16), 'big')
        ones |= number
        zeros |= ~number & ((1 << 128) - 1)
    assert ones == zeros == (1 << 128) - 1


# --- HMAC and comparison ----------------------------------------------------------------------------

def plain_hmac(key, message):
    """RFC 2104 as it is printed."""
    if len(key) > 64:
        key = hashlib.sha256(key).digest()
    key += bytes(64 - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]) + message).digest()
    return hashlib.sha256(bytes([b ^ 0x5c for b in key]) + inner).digest()


def test_hmac_is_that_of_the_rfc_for_every_length_around_a_block():
    for size in (1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 300):
        key = bytes([(i * 7 + size) & 255 for i in range(size)])
        for length in (0, 1, 55, 56, 63, 64, 65, 1023, 1024, 1025):
            message = bytes([(i * 3) & 255 for i in range(length)])
            assert hmac_sha256(key, message) == plain_hmac(key, message), (size, length)


def test_a_key_that_is_used_often_signs_each_message_anew():
    key = Key(b'k' * 32)
    for message in (b'a', b'b', b'a', b'', b'', b'a', b'b', b'x' * 2000, b'b', b'x' * 2000):
        assert key.sign(message) == plain_hmac(b'k' * 32, message), message[:3]
        assert signature(key, message) == b64url_encode(plain_hmac(b'k' * 32, message)).encode(), message[:3]


def test_two_keys_do_not_share_a_signature():
    one, two = Key(b'1' * 32), Key(b'2' * 32)
    for key in (one, two, one, two):
        expected = b64url_encode(hmac_sha256(key, b'm')).encode()
        assert signature(key, b'm') == expected
    assert not signature(one, b'm') == signature(two, b'm')


def test_a_buffer_that_has_changed_is_never_given_the_signature_of_before():
    key = Key(b'k' * 32)
    buffer = bytearray(b'pay 1 euro')
    try:
        first, coded = key.sign(buffer), signature(key, buffer)
        buffer[4] = ord('9')
        second, recoded = key.sign(buffer), signature(key, buffer)
    except TypeError:
        return
    assert b64url_decode(coded) == first and b64url_decode(recoded) == second
    assert first == plain_hmac(b'k' * 32, b'pay 1 euro')
    assert second == plain_hmac(b'k' * 32, b'pay 9 euro')


def test_a_text_key_is_its_utf8_bytes():
    assert hmac_sha256('schl\xfcssel', b'm') == plain_hmac(b'schl\xc3\xbcssel', b'm')
    assert hmac_sha256(Key('k'), b'm') == hmac_sha256(b'k', b'm') == hmac_sha256('k', b'm')


def test_T9_a_key_is_text_or_bytes_and_never_empty():
    for key, error in (('', ValueError), (b'', ValueError), (None, TypeError), (5, TypeError),
                       (['k'], TypeError), (bytearray(b'k'), TypeError), (True, TypeError)):
        assert error_of(Key, key) is error, key
        assert error_of(hmac_sha256, key, b'm') is error, key


def test_H3_a_key_does_not_show_its_secret():
    for text in (repr(Key(b'topsecret')), str(Key('topsecret')), '{}'.format([Key('topsecret')])):
        assert 'topsecret' not in text


def test_T2_compare_digest_finds_a_difference_in_every_bit():
    a = bytes(range(32))
    for module in BOTH:
        assert module.compare_digest(a, bytes(range(32))) is True
        for bit in range(256):
            b = bytearray(a)
            b[bit // 8] ^= 1 << bit % 8
            assert module.compare_digest(a, bytes(b)) is False, bit
            assert module.compare_digest(bytes(b), a) is False, bit


def test_T2_compare_digest_does_not_strip_zeros_or_compare_prefixes():
    rows = [(b'', b'', True), (b'\0', b'\0', True), (b'\0\0', b'\0', False), (b'\0', b'', False), (b'', b'\0', False),
            (b'\0a', b'a', False), (b'a\0', b'a', False), (b'\0\0', b'\0\1', False), (b'\1\0', b'\0\0', False),
            (b'\xff' * 32, b'\xff' * 32, True), (b'\xff' * 32, b'\xff' * 31 + b'\xfe', False),
            (b'\xff' * 32, b'\xff' * 33, False), (bytes(64), bytes(64), True), (bytes(64), bytes(63) + b'\1', False),
            (b'\3' + bytes(31), b'\2' + bytes(31), False), (b'\2' * 32, b'\3' * 32, False)]
    for a, b, equal in rows:
        for module in BOTH:
            assert module.compare_digest(a, b) is equal and module.compare_digest(b, a) is equal, (a, b)


def test_T2_what_is_not_bytes_never_passes_for_something_else():
    for module in BOTH:
        for a, b in (('\xe9a', '\xe9b'), ('\u2603ab', '\u2603cd'), (None, None), (5, 5), ([1], [1]), (b'a', None)):
            assert error_of(module.compare_digest, a, b) in (False, TypeError), (a, b)


# --- text -------------------------------------------------------------------------------------------

def test_T3_base64url_goes_there_and_back_for_every_length_and_byte():
    for length in range(70):
        data = bytes([(i * 37 + length * 11) & 255 for i in range(length)])
        text = b64url_encode(data)
        for module in BOTH:
            assert module.b64url_decode(text) == module.b64url_decode(text.encode()) == data, length
            assert module.b64url_bytes(data) == text.encode()
            assert type(module.b64url_decode(text)) is type(module.b64url_bytes(data)) is bytes
        assert len(text) == (length * 4 + 2) // 3 and '=' not in text and '+' not in text and '/' not in text
    assert b64url_encode(b'\xfb\xff\xbf') == '-_-_'


def test_T3_base64url_that_is_not_canonical_is_a_value_error():
    rows = ['=', 'A', 'AA=', 'AA==', 'AAA=', 'AAAA=', 'AAAA====', 'A=A', 'AA=A', 'AB', 'AAB', 'A_', 'AA_', '-A-B-',
            '+A', '++++',
            '/w', '////', 'AA AA', ' AAAA', 'AAAA ', 'AAAA\n', '\nAAAA', 'AA\r\nAA', 'AA\tAA', 'AA\0AA', 'AAAA\0',
            'AA.AA', 'AA,A',
            'AA%3D', 'AAA\xe9', '\xe9', 'AAAA\u2028', '\uff21AAA', 'AAAA-', 'A\x80AA', 'AAAAA', '!!!!', '?AAA', 'AA?A',
            'AAAA==AAAA',
            '====', '\\', 'AA"A', '-', '_', '\U0001f511AAA']
    for module in BOTH:
        for text in rows:
            assert error_of(module.b64url_decode, text) is ValueError, repr(text)
            assert error_of(module.b64url_decode, text.encode()) is ValueError, repr(text)
        for data in (b'\xff', b'AA\xff\xff', b'AAA\xc0', b'\x80\x80\x80\x80'):
            assert error_of(module.b64url_decode, data) is ValueError, data


def test_T3_every_byte_has_one_meaning_or_none_in_base64url():
    alphabet = b'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for module in BOTH:
        for byte in range(256):
            text = b'AAA' + bytes([byte])
            expected = bytes([0, 0, alphabet.find(text[3:])]) if text[3:] in alphabet else ValueError
            assert error_of(module.b64url_decode, text) == expected, byte


def test_T3_only_one_of_the_spellings_with_other_unused_bits_is_taken():
    alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for module in BOTH:
        taken = [c for c in alphabet if error_of(module.b64url_decode, 'A' + c) is not ValueError]
        assert taken == ['A', 'Q', 'g', 'w']
        assert len([c for c in alphabet if error_of(module.b64url_decode, 'AA' + c) is not ValueError]) == 16
        assert error_of(module.b64url_decode, '') == b''


def test_B4_base64_with_padding_is_as_strict():
    for data in (b'', b'a', b'ab', b'abc', b'\xff\xfe\xfb', bytes(range(256))):
        import binascii
        text = binascii.b2a_base64(data)[:-1]
        assert b64_decode(text) == b64_decode(text.decode()) == data
    for text in ('=', 'YQ', 'YQ=', 'YQ===', 'YR==', 'YWI', 'YWJ=', ' YQ==', 'YQ== ', 'YQ==\n', 'Y Q==', 'YQ==YQ==',
                 '-_-_', 'YWJj=',
                 'Y', 'YWJjZ', '\xe9', 'YWJj\0', '====', '#YWJj', 'YW#Jj'):
        assert error_of(b64_decode, text) is ValueError, repr(text)


def test_T4_only_shortest_utf8_is_text():
    rows = [(b'', ''), (b'a\0b', 'a\0b'), (b'\x7f', '\x7f'), (b'\xc2\x80', '\x80'), (b'\xdf\xbf', '\u07ff'),
            (b'\xe0\xa0\x80', '\u0800'),
            (b'\xed\x9f\xbf', '\ud7ff'), (b'\xee\x80\x80', '\ue000'), (b'\xef\xbf\xbf', '\uffff'),
            (b'\xf0\x90\x80\x80', '\U00010000'), (b'\xf4\x8f\xbf\xbf', '\U0010ffff'),
            ('\u2603\U0001f511'.encode(), '\u2603\U0001f511')]
    for data, text in rows:
        assert utf8(data) == text, data
    for data in (b'\x80', b'\xbf', b'\xc0\x80', b'\xc0\xba', b'\xc1\xbf', b'\xc2', b'\xc2a', b'\xc2\xc2\x80',
                 b'\xe0\x80\x80', b'\xe0\x9f\xbf',
                 b'\xe1\x80', b'\xe1\x80a', b'\xed\xa0\x80', b'\xed\xbf\xbf', b'\xed\xa0\xbd\xed\xb8\x80',
                 b'\xf0\x80\x80\x80',
                 b'\xf0\x8f\xbf\xbf', b'\xf0\x90\x80', b'\xf4\x90\x80\x80', b'\xf5\x80\x80\x80',
                 b'\xf8\x88\x80\x80\x80', b'\xfe', b'\xff',
                 b'abc\xc0\xbadef', b'ok\xe2\x98', b'\xc2\x80\x80'):
        assert error_of(utf8, data) is ValueError, data


# --- callbacks --------------------------------------------------------------------------------------

async def check(name, password):
    await asyncio.sleep(0)
    return name if password == 'right' else None


class AsyncCallable:
    async def __call__(self, name, password):
        return await check(name, password)


class Partial:
    """functools.partial, which MicroPython has not."""
    def __init__(self, f, *args):
        self.f = f
        self.args = args

    def __call__(self, *args):
        return self.f(*(self.args + args))


class Methods:
    async def check(self, name, password):
        return await check(name, password)

    def plain(self, name, password):
        return check(name, password)


def wrapped(*args):
    return check(*args)


def plain(name, password):
    return name if password == 'right' else None


async def test_whatever_shape_a_callback_has_its_answer_is_awaited():
    shapes = [('async def', check), ('lambda', lambda *args: check(*args)), ('sync wrapper', wrapped), ('plain', plain),
              ('object with async __call__', AsyncCallable()), ('method', Methods().check),
              ('sync method', Methods().plain),
              ('lambda, plain', lambda name, password: plain(name, password))]
    for name, f in shapes:
        assert await call(f, 'anna', 'right') == 'anna', name
        assert await call(f, 'anna', 'wrong') is None, name
    for name, f in [('partial async', Partial(check, 'anna')), ('partial plain', Partial(plain, 'anna')),
                    ('partial of an object', Partial(AsyncCallable(), 'anna'))]:
        assert await call(f, 'right') == 'anna', name
        assert await call(f, 'wrong') is None, name


async def test_an_exception_in_a_callback_reaches_the_caller():
    async def later():
        await asyncio.sleep(0)
        raise KeyError('later')

    def at_once():
        raise KeyError('at once')

    for f in (later, at_once, lambda: later(), lambda: at_once()):
        try:
            await call(f)
            raise AssertionError('the exception is lost')
        except KeyError:
            pass


async def test_a_callback_gets_its_arguments_by_name_too():
    async def f(a, b=1):
        return a, b
    assert await call(f, 1, b=2) == (1, 2)
    assert await call(lambda a, b=1: f(a, b=b), 1, b=2) == (1, 2)


async def test_falsy_answers_are_not_changed():
    for answer in (None, False, '', 0, [], {}):
        async def f(answer=answer):
            return answer
        assert await call(f) == answer and await call(lambda answer=answer: answer) == answer, repr(answer)


def test_a_warning_is_given_once():
    told = []
    kept, portable.warn = portable.warn, told.append
    try:
        for _ in range(3):
            portable.warn_once('one of test_portable')
            portable.warn_once('two of test_portable')
    finally:
        portable.warn = kept
    assert told == ['one of test_portable', 'two of test_portable']


def test_L5_a_thread_that_asks_between_two_steps_of_another_makes_no_leap():
    with FakeClock(ticks=1000) as clock:
        real = portable._ticks_ms

        def switched():
            ticks = real()
            portable._ticks_ms = real
            clock.advance(1)
            portable.uptime_ms()
            return ticks

        before = portable.uptime_ms()
        portable._ticks_ms = switched
        portable.uptime_ms()
        assert 0 <= portable.uptime_ms() - before <= 1000


def test_a_control_character_is_found_among_whatever_else_there_is():
    for byte in range(256):
        is_control = byte < 32 or byte == 127
        for beside in (b'', b'anna:', 'j\u00fcrgen:\u20ac\u00ad'.encode()):
            assert portable.has_controls(beside + bytes([byte]) + b'x') is is_control, (byte, beside)


def test_plain_text_is_utf8_without_control_characters_and_nothing_else():
    for text in ('anna:x', 'j\u00fcrgen:\u20ac', 'zero\u200bwidth', '\u00ad', '\x80'):
        assert portable.plain_utf8(text.encode()) == text
    for data in (b'\n', b'anna:\0', b'\x7f:x', 'j\u00fcrgen\t'.encode(), b'\xff', b'\xc0\xba', b'\xed\xa0\x80'):
        try:
            told = portable.plain_utf8(data)
        except ValueError:
            told = None
        assert told is None, data


def test_a_token68_is_letters_digits_and_six_signs_with_its_padding_at_the_end():
    for text in ('a', 'a=', 'YW5uYTpjb3JyZWN0==', '4Hs8LqXe0Zk3-._~+/', '0' * 400):
        assert all(one.is_token68(text) for one in BOTH), text
    for text in ('', '=', '==', 'a=b', '=a', 'a b', 'a\n', '\na', 'a,b', 'a"', 'a\x00', '\u0661', '\xe9'):
        assert not any(one.is_token68(text) for one in BOTH), text

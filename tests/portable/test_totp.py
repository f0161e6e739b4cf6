"""Codes of authenticator apps: those of the RFCs, each taken once, and none while nobody knows the time."""
import asyncio
import hashlib
import os
from binascii import hexlify, unhexlify

from clock import EPOCH_2000, UNSET, FakeClock

from dotlatch import copies, sha1, totp
from dotlatch.portable import FileLock
from dotlatch.strictjson import loads
from dotlatch.totp import ClockNotSet, Totp, b32_decode, b32_encode, current_step, load, new_secret
from dotlatch.usedsteps import UsedSteps

NOW = 1800000015
STEP = NOW // 30
OLDEST = 1767225600  # the clock's floor: what is below has never been set

with open(__file__.rsplit('/', 2)[0] + '/vectors/rfc6238_4226_otp.json', 'rb') as file:
    VECTORS = loads(file.read())
SECRET = VECTORS['seeds']['sha1']['base32']
SECRETS = {'SHA1': SECRET, 'SHA256': VECTORS['seeds']['sha256']['base32'].replace('=', '')}


def error_of(f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except Exception as error:
        return error
    return None


async def error_of_async(awaitable):
    try:
        await awaitable
    except Exception as error:
        return error
    return None


def verdict(code, last_step=0, now=NOW, window=1, **kwargs):
    """The step, None, or the exception that should never come."""
    with FakeClock(time=now):
        try:
            return Totp(SECRET, window=window, **kwargs).verify(code, last_step)
        except Exception as error:
            return error


# --- the codes themselves -------------------------------------------------------------------------

def test_O1_counters_give_the_codes_of_rfc_4226():
    app = Totp(SECRET)
    for row in VECTORS['hotp_sha1_6']:
        assert app.code_at(row['counter']) == row['code'], row
    assert len(VECTORS['hotp_sha1_6']) == 10


def test_O1_times_give_the_codes_of_rfc_6238():
    count = 0
    for row in VECTORS['totp']:
        if row['needs_sha512']:
            continue
        app = Totp(SECRETS[row['algorithm']], row['digits'], row['algorithm'])
        step = int(row['T_hex'], 16)
        assert app.code_at(step) == row['code'], row
        assert step == row['unix_time'] // 30, row
        if row['unix_time'] >= OLDEST:
            with FakeClock(time=row['unix_time']):
                assert app.verify(row['code'], 0) == step, row
                assert app.verify(row['code'], step - 1) == step, row
                assert app.verify(row['code'], step) is None, row
        count += 1
    assert count == 12


def test_O1_the_counter_has_64_bits():
    # Those below the first are pyotp's.
    app = Totp(SECRET)
    assert app.code_at(20000000000 // 30) == '353130'
    for step, code in ((1 << 30, '308829'), (1 << 32, '999456'), ((1 << 32) + 1, '108930'), ((1 << 63) - 1, '181742'),
                       ((1 << 64) - 1, '094451')):
        assert app.code_at(step) == code, (step, app.code_at(step))


def test_O1_sha1_without_hashlibs_gives_the_same_codes():
    kept = totp.sha1
    totp.sha1 = sha1.sha1
    try:
        test_O1_counters_give_the_codes_of_rfc_4226()
        test_O1_times_give_the_codes_of_rfc_6238()
    finally:
        totp.sha1 = kept


def test_the_portable_sha1_is_sha1_at_every_length():
    for data, digest in ((b'', 'da39a3ee5e6b4b0d3255bfef95601890afd80709'),
                         (b'abc', 'a9993e364706816aba3e25717850c26c9cd0d89d'),
                         (b'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
                          '84983e441c3bd26ebaae4aa1f95129e5e54670f1')):
        assert hexlify(sha1.sha1(data).digest()).decode() == digest, data
    data = bytes([(i * 7 + 3) & 255 for i in range(200)])
    for size in range(200):
        assert sha1.sha1(data[:size]).digest() == hashlib.sha1(data[:size]).digest(), size
    h = sha1.sha1()
    for size in (0, 1, 62, 1, 64, 72):
        h.update(data[:size])
        h.digest()
    assert h.digest() == hashlib.sha1(b''.join([data[:size] for size in (0, 1, 62, 1, 64, 72)])).digest()


def test_O1_a_new_secret_has_160_bits_of_the_systems_randomness():
    found = set()
    for _ in range(50):
        secret = new_secret()
        assert len(secret) == 32 and len(b32_decode(secret)) == 20
        found.add(secret)
    assert len(found) == 50
    asked = []
    kept = totp.random_bytes
    totp.random_bytes = lambda n: asked.append(n) or bytes(n)
    try:
        assert new_secret() == 'A' * 32 and asked == [20]
    finally:
        totp.random_bytes = kept


def test_O1_short_secrets_and_odd_settings_are_refused():
    for secret in ('', 'MFRGG', b32_encode(bytes(15)), b32_encode(bytes(65)), SECRET.lower(), SECRET + '=', SECRET[:-1],
                   ' ' + SECRET, SECRET.encode(), None, 5, SECRET[:-1] + '1', SECRET[:-1] + '\u0391', 'A' * 5000):
        assert isinstance(error_of(Totp, secret), ValueError), secret
    for digits in (5, 9, 0, -6, '6', 6.0, None, True):
        assert isinstance(error_of(Totp, SECRET, digits), ValueError), digits
    for algorithm in ('SHA512', 'MD5', 'sha1', '', None, 1):
        assert isinstance(error_of(Totp, SECRET, 6, algorithm), ValueError), algorithm
    for window in (2, -1, True, None, '1', 0.5):
        assert isinstance(error_of(Totp, SECRET, window=window), ValueError), window
    for size in (16, 20, 32, 64):
        assert len(Totp(b32_encode(bytes(size))).code_at(1)) == 6


# --- what is typed --------------------------------------------------------------------------------

def test_O1_only_exactly_so_many_ascii_digits_are_a_code():
    app = Totp(SECRET)
    app.code_at = lambda step: '287082'  # the rows' code is that of step 1, before any clock was set
    with FakeClock(time=NOW):
        for row in VECTORS['code_input_forms']:
            assert app.verify(row['code'], 0) == (STEP + 1 if row['ok'] is True else None), row
    right = Totp(SECRET).code_at(STEP)
    assert verdict(right) == STEP
    odd = [None, 0, int(right), float(right), True, right.encode(), bytearray(right.encode()), [right], {}, (right,),
           object(), '', ' ', right + ' ', ' ' + right, right + '\n', '\n' + right, right + '\0', '\0' + right,
           right[:3] + ' ' + right[3:], right[:3] + '-' + right[3:], right[:-1], right[1:], '0' + right, right + right,
           '+' + right[1:], '-' + right[1:], right[0] + '_' + right[2:], right[:-1] + '.', '0x' + right[2:],
           '1e' + right[2:], right * 10000, '\ud800' * 6, '\xb2' * 6]
    for zero in ('\u0660', '\u06f0', '\u0966', '\uff10', '\U0001d7ce'):  # Arabic, Persian, Devanagari, wide, bold
        odd.append(''.join([chr(ord(zero) + int(c)) for c in right]))
        odd.append(right[:-1] + chr(ord(zero) + int(right[-1])))
    for code in odd:
        assert verdict(code) is None, (code, verdict(code))


def test_a_code_with_leading_zeros_is_typed_with_them():
    assert verdict('050219') == STEP + 1
    for code in ('50219', ' 50219', 50219, '0050219'):
        assert verdict(code) is None, code


def test_codes_have_as_many_digits_as_was_agreed():
    for digits in (6, 7, 8):
        app = Totp(SECRET, digits)
        code = app.code_at(STEP)
        assert len(code) == digits
        assert verdict(code, digits=digits) == STEP
        for other in (6, 7, 8):
            if other != digits:
                assert verdict(code, digits=other) is None, (digits, other)
    assert Totp(SECRET, 8).code_at(STEP).endswith(Totp(SECRET).code_at(STEP))


# --- window and replay ----------------------------------------------------------------------------

def test_O2_one_step_either_side_and_no_further():
    for row in VECTORS['window_and_replay']['cases']:
        step = STEP + row['step_offset']
        for window in (0, 1):
            expected = step if row['expect_window%d' % window] else None
            assert verdict(row['code6_sha1'], now=row['now_unix'], window=window) == expected, (row, window)


def test_O2_the_window_ends_at_the_second():
    code = Totp(SECRET).code_at(STEP)
    first = STEP * 30
    for time, expected in ((first - 31, None), (first - 30, STEP), (first, STEP), (first + 59, STEP),
                           (first + 60, None)):
        assert verdict(code, now=time) == expected, time


def test_O2_a_used_step_and_older_ones_never_again():
    app = Totp(SECRET)
    last_step = 0
    for row in VECTORS['window_and_replay']['replay_sequence']:
        with FakeClock(time=row['now']):
            step = app.verify(row['code'], last_step)
        assert (step is not None) is (row['expect'] == 'accept'), row
        last_step = step or last_step


def test_O2_every_step_that_is_left_is_above_the_last_one():
    app = Totp(SECRET)
    for offset in (-1, 0, 1):
        code = app.code_at(STEP + offset)
        for last in (0, STEP - 3, STEP - 2, STEP - 1, STEP, STEP + 1):
            expected = STEP + offset if STEP + offset > last else None
            assert verdict(code, last) == expected, (offset, last)


def test_O2_of_two_steps_with_one_code_the_later_is_the_one_that_is_used():
    app = Totp(SECRET)
    codes = {STEP - 1: '111111', STEP: '222222', STEP + 1: '111111'}
    app.code_at = codes.get
    with FakeClock(time=NOW):
        assert app.verify('111111', 0) == STEP + 1
        assert app.verify('111111', STEP + 1) is None
        assert app.verify('222222', STEP - 1) == STEP


def test_O2_the_last_step_is_an_int_or_nothing_is_taken():
    code = Totp(SECRET).code_at(STEP)
    for last in (None, '', str(STEP), True, False, float(STEP), [0], b''):
        assert isinstance(verdict(code, last), TypeError), last


def test_T2_every_code_of_the_window_is_compared_whatever_was_found():
    compared = []
    kept = totp.compare_digest
    totp.compare_digest = lambda a, b: compared.append((a, b)) or kept(a, b)
    try:
        for code in (Totp(SECRET).code_at(STEP - 1), Totp(SECRET).code_at(STEP), Totp(SECRET).code_at(STEP + 1),
                     '000000'):
            for last in (0, STEP, STEP + 1):
                del compared[:]
                verdict(code, last)
                assert len(compared) == 3, (code, last)
                assert all(given == code.encode() for _, given in compared)
    finally:
        totp.compare_digest = kept


# --- the clock ------------------------------------------------------------------------------------

def test_O3_while_the_clock_is_not_set_no_code_is_right():
    app = Totp(SECRET)
    for time in (0, EPOCH_2000, UNSET, OLDEST - 1):
        for epoch in (0, EPOCH_2000):
            with FakeClock(time=time, epoch=epoch):
                for offset in (-1, 0, 1, 2):
                    code = app.code_at(max(0, time // 30 + offset))
                    assert isinstance(error_of(app.verify, code, 0), ClockNotSet), (time, epoch)
                assert isinstance(error_of(app.verify, 'nonsense', 0), ClockNotSet)
                assert isinstance(error_of(current_step), ClockNotSet)
    with FakeClock(time=OLDEST):
        assert app.verify(app.code_at(OLDEST // 30), 0) == OLDEST // 30


async def test_O3_nothing_is_used_up_while_the_clock_is_not_set():
    app, used = Totp(SECRET), UsedSteps()
    asked = []
    with FakeClock(time=UNSET):
        for use in (used.use, lambda user, step: asked.append(step) or True):
            assert isinstance(await error_of_async(app.spend(app.code_at(UNSET // 30), 1, use)), ClockNotSet)
        assert isinstance(await error_of_async(used.use(1, STEP)), ClockNotSet)
    assert asked == []


def test_O3_the_error_is_no_other():
    for kind in (ValueError, TypeError, OSError, RuntimeError):
        assert not issubclass(ClockNotSet, kind), kind


def test_O3_a_clock_behind_the_last_code_is_told_of():
    app = Totp(SECRET)
    with FakeClock(time=NOW):
        code = app.code_at(STEP)
        for last in (STEP + 2, STEP + 1000000):
            assert isinstance(error_of(app.verify, code, last), ClockNotSet), last
        assert app.verify(app.code_at(STEP + 1), STEP + 1) is None  # a phone that is a step ahead


def test_H1_codes_are_the_same_on_either_epoch():
    app = Totp(SECRET)
    for epoch in (0, EPOCH_2000):
        with FakeClock(time=NOW, epoch=epoch):
            assert current_step() == STEP
            assert app.verify('768147', 0) == STEP, epoch


# --- once -----------------------------------------------------------------------------------------

class Account:
    def __init__(self, id):
        self.id = id
        self.totp_step = 0


class MemoryAccounts:
    """As the documentation shows it: nothing is awaited between the look and the change."""
    async def use(self, user, step):
        await asyncio.sleep(0)
        if step <= user.totp_step:
            return False
        user.totp_step = step
        return True


class FileAccounts:
    """One file, which other processes write too: read, compared and written under a lock."""
    def __init__(self, path):
        self.path = path

    def use(self, user, step):
        with FileLock(self.path):
            steps, _ = copies.load(self.path, 'a file of steps', lambda content: content['steps'])
            steps = steps or {}
            if step <= steps.get(user.id, 0):
                return False
            steps[user.id] = step
            copies.save(self.path, {'steps': steps})
        return True


def providers():
    for name in os.listdir('.'):
        if name.startswith('steps.json'):
            os.remove(name)
    return [('memory', MemoryAccounts()), ('file', FileAccounts('steps.json')), ('used', UsedSteps())]


async def test_O2_of_two_parallel_submissions_one_wins():
    app = Totp(SECRET)
    with FakeClock(time=NOW) as clock:
        for kind, accounts in providers():
            clock.advance(120)
            user = Account('anna')
            code = app.code_at(current_step())
            answers = await asyncio.gather(*[app.spend(code, user, accounts.use) for _ in range(8)])
            assert sorted(answers) == [False] * 7 + [True], (kind, answers)
            assert await app.spend(code, user, accounts.use) is False, kind


async def test_O2_parallel_codes_of_two_steps_leave_the_later_one():
    app = Totp(SECRET)
    with FakeClock(time=NOW) as clock:
        for kind, accounts in providers():
            clock.advance(120)
            user = Account('anna')
            codes = [app.code_at(current_step() + offset) for offset in (1, 0, -1, 1, 0)]
            answers = await asyncio.gather(*[app.spend(code, user, accounts.use) for code in codes])
            assert 1 <= answers.count(True) <= 3, kind
            for code in codes:
                assert await app.spend(code, user, accounts.use) is False, kind
            clock.advance(60)
            assert await app.spend(app.code_at(current_step()), user, accounts.use) is True, kind


async def test_O2_users_have_steps_of_their_own():
    app = Totp(SECRET)
    with FakeClock(time=NOW) as clock:
        for kind, accounts in providers():
            clock.advance(120)
            code = app.code_at(current_step())
            anna, bert = Account('anna'), Account('bert')
            assert await app.spend(code, anna, accounts.use) is True, kind
            assert await app.spend(code, bert, accounts.use) is True, kind
            assert await app.spend(code, anna, accounts.use) is False, kind


async def test_O2_what_is_kept_in_a_file_holds_after_a_restart():
    app = Totp(SECRET)
    providers()
    with FakeClock(time=NOW):
        code = app.code_at(STEP)
        assert await app.spend(code, Account('anna'), FileAccounts('steps.json').use) is True
        assert await app.spend(code, Account('anna'), FileAccounts('steps.json').use) is False


async def test_a_provider_says_true_or_false():
    app = Totp(SECRET)
    with FakeClock(time=NOW):
        code = app.code_at(STEP)
        for answer in (None, 1, 0, 'yes', '', [], object(), app):
            async def use(user, step, answer=answer):
                return answer

            assert isinstance(await error_of_async(app.spend(code, 'anna', use)), TypeError), answer
            assert isinstance(await error_of_async(app.spend(code, 'anna', lambda user, step: answer)),  # noqa: B023
                              TypeError), answer


async def test_a_provider_is_asked_only_about_right_codes_and_what_it_raises_lets_nobody_in():
    app = Totp(SECRET)
    asked = []

    async def full(user, step):
        asked.append((user, step))
        raise OSError(28)

    with FakeClock(time=NOW):
        for code in ('000000', '', None, app.code_at(STEP - 2)):
            assert await app.spend(code, 'anna', full) is False
        assert await app.spend(app.code_at(STEP), 'anna', full, STEP) is False
        assert asked == []
        assert isinstance(await error_of_async(app.spend(app.code_at(STEP), 'anna', full)), OSError)
        assert asked == [('anna', STEP)]


async def test_O2_without_a_file_what_may_have_been_used_before_the_restart_is_refused():
    app = Totp(SECRET)
    for set_late in (False, True):
        with FakeClock(time=UNSET if set_late else NOW) as clock:
            used = UsedSteps()
            clock.advance(7)
            if set_late:
                clock.set(NOW + 7)
            for offset in (-1, 0, 1):
                assert await app.spend(app.code_at(STEP + offset), 'anna', used.use) is False, (set_late, offset)
            clock.advance(53)
            assert current_step() == STEP + 2
            for offset in (1, 2):
                expected = offset == 2
                assert await app.spend(app.code_at(STEP + offset), 'anna', used.use) is expected, (set_late, offset)


async def test_O2_whatever_the_second_of_a_restart_no_code_from_before_is_taken():
    app = Totp(SECRET)
    for second in range(30):
        with FakeClock(time=STEP * 30 + second, ticks=second * 333) as clock:
            before = current_step() + 1  # the latest that was taken just before
            used = UsedSteps()
            for _ in range(120):
                clock.ticks += 999  # a clock whose seconds turn at other moments than the ticks'
                clock.time += 1
                assert await app.spend(app.code_at(before), 'anna', used.use) is False, second
    with FakeClock(time=STEP * 30) as clock:
        used = UsedSteps()
        clock.ticks += 1000  # almost: both clocks cut off what is below their unit
        assert await used.use('anna', STEP + 1) is False


async def test_O2_a_full_table_lets_no_used_code_through():
    with FakeClock(time=NOW) as clock:
        used = UsedSteps(4)
        clock.advance(120)
        step = current_step()
        assert await used.use('anna', step) is True
        assert await used.use('first', step + 1) is True
        for i in range(20):
            await used.use(i, step + 1)
            assert len(used._steps) <= 4
            assert await used.use('anna', step) is False, i
        clock.advance(60)
        assert await used.use('anna', current_step()) is True
        used = UsedSteps(2)
        clock.advance(120)
        step = current_step()
        for user, offset in (('anna', 0), ('bert', 0), ('anna', 1), ('carl', 0)):  # anna has her place already
            assert await used.use(user, step + offset) is True, user
    assert isinstance(error_of(UsedSteps, 0), ValueError)


async def test_users_are_objects_dictionaries_or_ids():
    with FakeClock(time=NOW) as clock:
        used = UsedSteps()
        clock.advance(120)
        step = current_step()
        assert await used.use(Account(7), step) is True
        for same in (Account(7), {'id': 7}, 7):
            assert await used.use(same, step) is False, same
        assert await used.use('7', step) is True
        for odd in (None, object(), {}, True, ['x']):
            assert isinstance(await error_of_async(used.use(odd, step + 1)), TypeError), odd


# --- enrolment ------------------------------------------------------------------------------------

def test_the_uri_has_what_apps_read():
    assert Totp(SECRET).uri('anna', 'Greenhouse') == (
        'otpauth://totp/Greenhouse:anna?secret=%s&issuer=Greenhouse&algorithm=SHA1&digits=6&period=30' % SECRET)
    assert Totp(SECRETS['SHA256'], 8, 'SHA256').uri('anna', 'Greenhouse') == (
        'otpauth://totp/Greenhouse:anna?secret=%s&issuer=Greenhouse&algorithm=SHA256&digits=8&period=30'
        % SECRETS['SHA256'])


def test_names_in_the_uri_are_escaped_byte_by_byte():
    for name, escaped in (('anna@example.org', 'anna%40example.org'), ('a b', 'a%20b'), ('a+b', 'a%2Bb'),
                          ('a/b?c#d&e=f%g', 'a%2Fb%3Fc%23d%26e%3Df%25g'), ('\xe4\u2603', '%C3%A4%E2%98%83'),
                          ('-._~', '-._~'), ('"<\'>', '%22%3C%27%3E'), ('\n\0', '%0A%00')):
        uri = Totp(SECRET).uri(name, name)
        assert uri.startswith('otpauth://totp/%s:%s?secret=' % (escaped, escaped)), uri
        assert '&issuer=%s&algorithm=' % escaped in uri, uri
    for odd in ('', 'a:b', ':', 'x' * 65, None, 5, b'anna', '\ud800'):
        assert isinstance(error_of(Totp(SECRET).uri, odd, 'Greenhouse'), ValueError), odd
        assert isinstance(error_of(Totp(SECRET).uri, 'anna', odd), ValueError), odd


def test_what_is_kept_comes_back():
    for secret, digits, algorithm in ((SECRET, 6, 'SHA1'), (SECRET, 7, 'SHA1'), (SECRETS['SHA256'], 8, 'SHA256')):
        app = Totp(secret, digits, algorithm)
        again = load(app.stored())
        assert (again.secret, again.digits, again.algorithm) == (secret, digits, algorithm)
        assert again.code_at(STEP) == app.code_at(STEP)
        assert load(app.stored(), window=0).window == 0
    assert Totp(SECRET).stored() == 'SHA1$6$' + SECRET
    for text in ('', SECRET, 'SHA1$6', 'SHA1$6$', 'SHA1$5$' + SECRET, 'SHA1$06$' + SECRET, 'SHA1$+6$' + SECRET,
                 'SHA1$\u0666$' + SECRET, 'sha1$6$' + SECRET, '$6$' + SECRET, 'SHA1$6$%s$' % SECRET,
                 'SHA1$6$' + SECRET.lower(), 'SHA1$6$%s\n' % SECRET, 'SHA1$6$ ' + SECRET):
        assert isinstance(error_of(load, text), ValueError), text


def test_H3_a_secret_is_not_in_its_repr_nor_in_an_error():
    for app in (Totp(SECRET), Totp(SECRETS['SHA256'], 8, 'SHA256')):
        assert repr(app) == str(app) == '<Totp>'
    for error in (error_of(Totp, SECRET + '1'), error_of(load, 'SHA1$6$' + SECRET + '1'), error_of(Totp, SECRET[:8]),
                  error_of(totp.typed_secret, SECRET + '1')):
        assert isinstance(error, ValueError) and SECRET[:8] not in str(error)


def test_a_secret_that_somebody_types_is_read_as_it_was_meant():
    for row in VECTORS['base32_input_forms']:
        result = error_of(totp.typed_secret, row['secret'])
        assert (result is None) is row['ok'], row
        if row['ok']:
            data = b32_decode(totp.typed_secret(row['secret']))
            assert data == unhexlify(row.get('decodes_hex', VECTORS['seeds']['sha1']['hex'])), row
    for text in ('gezd-gnbv-gy3t-qojq-gezd-gnbv-gy3t-qojq', ' ' + SECRET + ' ', SECRET.lower()):
        assert totp.typed_secret(text) == SECRET, text
    for text in (None, 5, b'MFRGG', '=', '====', 'MFRGG=', 'MFRGG==', 'MFRGG====', '===MFRGG', 'MF=RGG==', 'MFRGG8',
                 'MFRGG\n', 'MFRG\u0130', '\u017f' * 8, 'A', 'AAA', 'AAAAAA', 'MZ', 'MFRGH', 'A' * 300, '\ud800',
                 SECRET + '=======', SECRET + '========'):
        assert isinstance(error_of(totp.typed_secret, text), ValueError), text


def test_base32_is_that_of_rfc_4648():
    for data, text in ((b'f', 'MY'), (b'fo', 'MZXQ'), (b'foo', 'MZXW6'), (b'foob', 'MZXW6YQ'), (b'fooba', 'MZXW6YTB'),
                       (b'foobar', 'MZXW6YTBOI'), (bytes(5), 'AAAAAAAA'), (b'\xff' * 5, '77777777')):
        assert b32_encode(data) == text and b32_decode(text) == data, data
    for text in ('', 'MY======', 'my', 'MZ', 'MZXR', 'MZXW7', 'MZXW6YR', 'M', 'MZX', 'MZXW6Y', 'M1', 'M0', 'M8', 'MY ',
                 ' MY', 'M Y', 'MY\n', 'MY\0', '\xe9\xe9', None, 5, b'MY', 'A' * 264):
        assert isinstance(error_of(b32_decode, text), ValueError), text

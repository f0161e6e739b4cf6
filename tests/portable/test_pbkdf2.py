"""PBKDF2 as boards compute it: every engine right or not used, other tasks served meanwhile, one password at a time."""
import asyncio
import binascii
import json
import struct
import sys

from clock import FakeClock

from dotlatch import pbkdf2, portable
from dotlatch.pbkdf2_blocks import Rounds as Blocks
from dotlatch.pbkdf2_hashlib import Rounds as Hashlib

FOLDER = __file__.rsplit('/', 2)[0] + '/vectors/'
MPY = getattr(sys.implementation, '_mpy', 0)
THUMB, XTENSA, RISCV = 4 << 10, 10 << 10, 11 << 10  # as sys.implementation._mpy has them

# 40 bytes after three iterations with the salt 'salt', as CPython's hashlib.pbkdf2_hmac computes them.
ODD_PASSWORDS = (
    (b'', '5ddf839afa2d5fb4be56e1a0f48917617559bef61ec122bfca1c7f75ac8f401d060b470b70403497'),
    (b'\0', '5ddf839afa2d5fb4be56e1a0f48917617559bef61ec122bfca1c7f75ac8f401d060b470b70403497'),
    (b'\0a\0', '17124186cde1c359f4b583d5923bb321689ea9d089f064b587386d1f86e1c1a6088c775f48c2beff'),
    (b'x' * 63, 'd191dd2aad177563b112a0c8b06573ceb7437f957c43f2b89254b754161b3284c5089d80599a78ac'),
    (b'x' * 64, '0582d52c2133ec90a168409527adb1a18782d00151ca2939679a72dedca074b51b50f288b23669c7'),
    (b'x' * 65, '55f8286dda24a93939636b5584acff9694c9d2551e7f63ed334c389a68e5dd4fe965f9b13ad21332'),
    (b'x' * 200, '287c49d10c76a257901dd1040c538f08b846734d343bbe2e0330f601abf41c81fc74fde8c7eccb8f'),
    (b'x' * 1000000, 'd92a0c258ae81637b2c074bfbd34fbc84281b052610e78f8415d6126b6714e19f3f18ee9d8ce4758'),
    (b'\xff' * 64, '6074d75a95fd9264e51ca76fdaece780101333a6c20177eadb53d80c0319c7700da9979e31e108b9'),
    ('\u2603\U0001f511'.encode(), '424fe0dab06b9708f06405b01c93049a5ade1ea283b589d6ecbec1a2569f7d066fac7c6da74317cf'),
)


def engines():
    """(name, engine) of all that this port has."""
    for name, load in pbkdf2._candidates(MPY):
        yield name, load()


class Using:
    """Another engine in the place of the one that was chosen."""
    def __init__(self, engine):
        self.engine = engine

    def __enter__(self):
        self._kept = pbkdf2._engine
        pbkdf2._engine = self.engine

    def __exit__(self, *error):
        pbkdf2._engine = self._kept


def compress(state, count):
    """What pbkdf2_blocks.py asks of an engine, as plain as FIPS 180-4 says it: SHA-256's compression function."""
    for i in range(count):
        words = list(struct.unpack('<168I', state))
        begin = words[:8] if i % 2 == 0 else words[8:16]
        schedule = words[16:32]
        for t in range(16, 64):
            x, y = schedule[t - 15], schedule[t - 2]
            schedule.append((schedule[t - 16] + schedule[t - 7] + (turned(x, 7) ^ turned(x, 18) ^ x >> 3)
                             + (turned(y, 17) ^ turned(y, 19) ^ y >> 10)) & 0xffffffff)
        a, b, c, d, e, f, g, h = begin
        for t in range(64):
            one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + (e & f ^ ~e & g) + words[40 + t] + schedule[t])
            two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + (a & b ^ a & c ^ b & c)
            a, b, c, d, e, f, g, h = (one + two) & 0xffffffff, a, b, c, (d + one) & 0xffffffff, e, f, g
        words[16:24] = [x + y & 0xffffffff for x, y in zip(begin, (a, b, c, d, e, f, g, h))]
        if i % 2 == 1:
            words[32:40] = [x ^ y for x, y in zip(words[32:40], words[16:24])]
        state[:] = struct.pack('<168I', *words)


def turned(x, n):
    return (x >> n | x << 32 - n) & 0xffffffff


# --- P3: right, whatever the engine -----------------------------------------------------------------

def test_P3_the_fastest_engine_of_the_port_is_the_one_that_is_used():
    names = [name for name, _ in engines()]
    assert pbkdf2.ENGINE == names[0]
    assert names == (['viper', 'hashlib'] if MPY >> 10 & 15 else ['hashlib'])


async def test_P3_every_engine_passes_wycheproof():
    with open(FOLDER + 'wycheproof_pbkdf2_hmacsha256_test.json') as file:
        groups = json.loads(file.read())['testGroups']
    for name, engine in engines():
        done = 0
        with Using(engine):
            for group in groups:
                for row in group['tests']:
                    got = await pbkdf2.derive(binascii.unhexlify(row['password']), binascii.unhexlify(row['salt']),
                                              row['iterationCount'], row['dkLen'])
                    assert got == binascii.unhexlify(row['dk']), (name, row['tcId'])
                    done += 1
        assert done == 60, (name, done)


async def test_P3_every_engine_computes_what_the_rfcs_print():
    with open(FOLDER + 'rfc_hmac_pbkdf2_sha256.json') as file:
        rows = json.loads(file.read())['pbkdf2_hmac_sha256']
    assert len(rows) == 7
    for name, engine in engines():
        with Using(engine):
            for row in rows:
                got = await pbkdf2.derive(row['password_utf8'].encode(), row['salt_utf8'].encode(), row['iterations'],
                                          row['dklen'])
                assert got == binascii.unhexlify(row['dk']), (name, row)


async def test_P3_every_engine_takes_every_password():
    for name, engine in engines():
        with Using(engine):
            for password, expected in ODD_PASSWORDS:
                assert await pbkdf2.derive(password, b'salt', 3, 40) == binascii.unhexlify(expected), name


async def test_P3_what_an_engine_needs_besides_compression_is_right():
    with Using(lambda pads: Blocks(pads, compress)):
        for password, expected in ODD_PASSWORDS:
            assert await pbkdf2.derive(password, b'salt', 3, 40) == binascii.unhexlify(expected), password[:9]


def test_P3_it_does_not_matter_how_the_iterations_are_cut():
    for name, engine in engines():
        results = []
        for cut in ((60,), (1,) * 60, (59, 1), (1, 59), (0, 60, 0), (7, 11, 42)):
            rounds = engine((bytes(64), b'\xff' * 64))
            rounds.start(bytes(range(32)))
            for count in cut:
                rounds.run(count)
            results.append(rounds.result())
        assert len(set(results)) == 1, name


def test_P3_one_hash_does_not_reach_into_the_next():
    for name, engine in engines():
        pads = (b'\1' * 64, b'\2' * 64)
        first, second = engine(pads), engine((b'\3' * 64, b'\4' * 64))
        for rounds in (first, second):
            rounds.start(bytes(32))
        for _ in range(5):
            first.run(1)
            second.run(2)
        alone = engine(pads)
        alone.start(b'\7' * 32)
        alone.run(3)
        alone.start(bytes(32))  # the next 32 bytes of a longer result
        alone.run(5)
        assert first.result() == alone.result(), name
        assert first.result() != second.result(), name


# --- an engine that does not work is not used -----------------------------------------------------------

class Wrong(Hashlib):
    """Right but for one bit, from some iteration on."""
    def __init__(self, pads, after, bit):
        super().__init__(pads)
        self._left = after
        self._bit = bit

    def run(self, count):
        super().run(count)
        self._left -= count

    def result(self):
        right = super().result()
        if self._left > 0:
            return right
        return (int.from_bytes(right, 'big') ^ 1 << self._bit).to_bytes(32, 'big')


def fails(error):
    def load():
        raise error
    return load


def test_P3_an_engine_with_a_wrong_result_is_never_used():
    right = ('right', lambda: Hashlib)
    for after in (0, 1, 2, 4):
        for bit in (0, 31, 100, 255):
            wrong = ('wrong', lambda after=after, bit=bit: lambda pads: Wrong(pads, after, bit))
            assert pbkdf2._choose((wrong, right)) == ('right', Hashlib), (after, bit)


def test_P3_an_engine_that_cannot_be_loaded_or_run_is_never_used():
    right = ('right', lambda: Hashlib)
    for error in (ImportError('no module'), SyntaxError('invalid micropython decorator'),
                  ValueError('incompatible .mpy file'), MemoryError()):
        assert pbkdf2._choose((('missing', fails(error)), right)) == ('right', Hashlib), error
        broken = ('broken', lambda error=error: lambda pads: fails(error)())
        assert pbkdf2._choose((broken, right)) == ('right', Hashlib), error


def test_P3_without_any_engine_that_works_there_is_no_module():
    try:
        pbkdf2._choose((('missing', fails(ImportError())), ('wrong', lambda: lambda pads: Wrong(pads, 0, 0))))
    except RuntimeError:
        return
    raise AssertionError('an engine was chosen')


def test_what_is_not_needed_is_not_loaded():
    right = ('right', lambda: Hashlib)
    assert pbkdf2._choose((right, ('slower', fails(AssertionError('it was loaded'))))) == ('right', Hashlib)
    for mpy, names in ((0, ['hashlib']), (6, ['hashlib']), (THUMB, ['thumb', 'viper', 'hashlib']),
                       (THUMB + 0x206, ['thumb', 'viper', 'hashlib']), (8 << 10, ['thumb', 'viper', 'hashlib']),
                       (XTENSA, ['viper', 'hashlib']), (RISCV, ['viper', 'hashlib'])):
        assert [name for name, _ in pbkdf2._candidates(mpy)] == names, mpy


# --- P4: the server goes on answering ---------------------------------------------------------------------

class Slow(Hashlib):
    """Takes as long as it is told to, by a clock that is told so."""
    clock = None
    us = 0
    us_each = 0
    runs = []

    def run(self, count):
        Slow.us += count * Slow.us_each
        Slow.clock.ticks = Slow.us // 1000
        Slow.runs.append(count)


async def test_P4_no_engine_holds_the_loop_for_50_ms_not_even_at_first():
    for us_each in (1, 60, 250, 450, 1000, 3000, 10000):
        with FakeClock() as clock:
            Slow.clock, Slow.us, Slow.us_each, Slow.runs = clock, 0, us_each, []
            with Using(Slow):
                await pbkdf2.derive(b'password', b'salt', 3001, 32)
            assert sum(Slow.runs) == 3000
            longest = max(Slow.runs) * us_each
            assert longest <= 50000, (us_each, longest)
            # Nor is it cut finer than it helps: a turn for nobody costs a board half a millisecond.
            assert len(Slow.runs) <= 10 + 3000 // min(400, max(1, 8000 // us_each)), (us_each, len(Slow.runs))


class Turns:
    """Counts how often another task gets its turn meanwhile."""
    async def __aenter__(self):
        self.count = 0
        self._task = asyncio.create_task(self._run())
        await asyncio.sleep(0)
        return self

    async def _run(self):
        while True:
            self.count += 1
            await asyncio.sleep(0)

    async def __aexit__(self, *error):
        self._task.cancel()
        await asyncio.sleep(0)


async def test_P4_other_tasks_get_their_turns_however_fast_the_engine_seems_to_be():
    for _, engine in engines():
        with Using(engine):
            async with Turns() as turns:
                before = turns.count
                await pbkdf2.derive(b'password', b'salt', 20000, 32)
                assert turns.count - before >= 20000 // 512
                before = turns.count
                await pbkdf2.derive(b'password', b'salt', 1, 3200)
                assert turns.count - before >= 100, 'a long result of one iteration'


# --- P4: one at a time, and a bound --------------------------------------------------------------------------

class Watched(Hashlib):
    """Tells which of them computes."""
    log = []

    def __init__(self, pads):
        super().__init__(pads)
        self._id = pads[0][0] ^ 0x36  # the first letter of the password

    def run(self, count):
        super().run(count)
        Watched.log.append(chr(self._id))


async def finished(tasks):
    for task in tasks:
        await task


def order(log):
    """Who came after whom, each run of one counted once."""
    return ''.join([c for i, c in enumerate(log) if i == 0 or log[i - 1] != c])


async def test_P4_one_password_is_hashed_at_a_time_in_the_order_they_came():
    Watched.log = []
    with Using(Watched):
        tasks = [asyncio.create_task(pbkdf2.derive(letter.encode(), b'salt', 400, 32)) for letter in 'abcdef']
        await finished(tasks)
    assert order(Watched.log) == 'abcdef' and len(Watched.log) >= 12


async def test_P4_who_goes_away_while_waiting_frees_the_place():
    Watched.log = []
    with Using(Watched):
        tasks = [asyncio.create_task(pbkdf2.derive(letter.encode(), b'salt', 400, 32)) for letter in 'abcd']
        for _ in range(3):
            await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[2].cancel()
        await finished([tasks[0], tasks[3]])
    assert order(Watched.log) == 'ad'
    assert pbkdf2._users == 0


async def test_P4_who_goes_away_while_being_served_frees_the_place():
    Watched.log = []
    with Using(Watched):
        long = asyncio.create_task(pbkdf2.derive(b'a', b'salt', 1000000, 32))
        other = asyncio.create_task(pbkdf2.derive(b'b', b'salt', 400, 32))
        while len(Watched.log) < 5:
            await asyncio.sleep(0)
        long.cancel()
        await other
    assert order(Watched.log) == 'ab' and sum([letter == 'a' for letter in Watched.log]) < 20
    assert pbkdf2._users == 0


async def test_P4_more_than_may_wait_are_told_so_at_once():
    Watched.log = []
    with Using(Watched):
        tasks = []
        for _ in range(1 + pbkdf2.MAX_WAITING):
            tasks.append(asyncio.create_task(pbkdf2.derive(b'a', b'salt', 400, 32)))
        await asyncio.sleep(0)
        for _ in range(3):
            assert await is_busy()
        tasks[4].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks[4] = asyncio.create_task(pbkdf2.derive(b'b', b'salt', 400, 32))
        await asyncio.sleep(0)
        assert await is_busy(), 'the one place that was free'
        await finished(tasks)
    assert order(Watched.log) == 'ab'
    assert not await is_busy()


async def is_busy():
    try:
        await pbkdf2.derive(b'z', b'salt', 2, 32)
    except pbkdf2.Busy as error:
        assert isinstance(error, OSError)
        return True
    return False


async def test_P4_an_engine_that_fails_later_frees_the_place():
    def broken(pads):
        raise MemoryError()
    for _ in range(2 * pbkdf2.MAX_WAITING):
        with Using(broken):
            try:
                await pbkdf2.derive(b'a', b'salt', 2, 32)
            except MemoryError:
                continue
        raise AssertionError('no error')
    assert not await is_busy()


# --- H3 -------------------------------------------------------------------------------------------------------

async def test_H3_nothing_of_a_password_is_kept():
    secret = b'correct horse battery staple'
    pads = pbkdf2._pads(secret)
    key = await pbkdf2.derive(secret, b'salt of 16 bytes', 10, 32)
    for module in (pbkdf2, portable, sys.modules['dotlatch.pbkdf2_hashlib'], sys.modules['dotlatch.pbkdf2_blocks']):
        for name in dir(module):
            value = getattr(module, name)
            for part in (value if isinstance(value, (tuple, list)) else (value,)):
                if isinstance(part, (bytes, bytearray)):
                    for kept in (secret, pads[0][:32], pads[1][:32], key):
                        assert kept not in bytes(part), (module, name)
                assert not isinstance(part, (Blocks, Hashlib)), (module, name)

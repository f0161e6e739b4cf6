"""P3: the cost is what the machine does in the time its owner accepts, is measured once, and is kept."""
import sys

from clock import FakeClock
from disk import Disk, held, put, remove

from dotlatch import calibrate as module
from dotlatch import passwords
from dotlatch.calibrate import FLOOR, calibrate, load_iterations
from dotlatch.strictjson import loads

MICROPYTHON = sys.implementation.name == 'micropython'
SCALE = 1 if MICROPYTHON else 600  # a server's floor is 600 times a board's


class Machine:
    """One that takes so many nanoseconds for an iteration."""
    def __init__(self, nanoseconds):
        self.ns = nanoseconds // SCALE
        self.clock = FakeClock()
        self.spent = []

    async def derive(self, password, salt, iterations, dklen=32):
        self.spent.append(iterations * self.ns // 1000000)
        self.clock.advance(iterations * self.ns / 1000000000)
        return bytes(dklen)

    def __enter__(self):
        self.clock.__enter__()
        self._kept = passwords.pbkdf2_hmac_sha256
        passwords.pbkdf2_hmac_sha256 = self.derive
        return self

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256 = self._kept
        self.clock.__exit__(*error)


async def outcome(awaitable):
    try:
        return await awaitable
    except Exception as error:
        return type(error)


async def test_P3_the_count_is_what_fits_into_the_time():
    for us, ms in ((80, 1000), (80, 500), (200, 3000), (400, 1000), (346, 1000), (60, 1000)):
        with Machine(us * 1000) as machine:
            got = await calibrate(ms)
            took = got * machine.ns // 1000000
        # Two digits, and what the clock's whole milliseconds leave open.
        assert ms * 88 // 100 <= took <= ms * 102 // 100, (us, ms, got)
        assert int(str(got)[2:]) == 0, got


async def test_P3_a_count_is_never_below_the_floor_nor_above_what_is_accepted():
    assert FLOOR == (1000 if MICROPYTHON else 600000)
    with Machine(5450 * 1000):
        assert await calibrate(1000) == FLOOR
        assert await calibrate(1) == FLOOR
    with Machine(SCALE):
        assert await calibrate(60000) == passwords.MAX_ITERATIONS
    with Machine(0):  # quicker than the clock
        assert await calibrate(1000) == passwords.MAX_ITERATIONS


async def test_P3_to_measure_takes_no_longer_than_a_login_will():
    for us in (60, 80, 400):
        with Machine(us * 1000) as machine:
            await calibrate(1000)
        assert 250 <= sum(machine.spent) <= 1000, (us, machine.spent)


async def test_P3_a_time_that_nobody_waits_is_a_value_error():
    for ms in (0, -1, 60001, 1 << 40):
        assert await outcome(calibrate(ms)) is ValueError, ms


async def test_P3_the_real_engine_is_measured():
    got = await calibrate(100)
    assert FLOOR <= got <= passwords.MAX_ITERATIONS


async def test_P3_the_count_is_measured_once_and_kept():
    remove('hashing.json')
    with Machine(80 * 1000) as machine:
        first = await load_iterations('hashing.json')
        measured = len(machine.spent)
        assert measured and loads(held('hashing.json')) == {'iterations': first, 'ms': 1000}
        assert await load_iterations('hashing.json') == first
        assert len(machine.spent) == measured
        assert await load_iterations('hashing.json', 2000) > first, 'another time is measured anew'
        assert len(machine.spent) > measured
        assert loads(held('hashing.json'))['ms'] == 2000
    remove('hashing.json')


async def test_P3_what_is_no_count_is_measured_anew():
    with Machine(80 * 1000) as machine:
        right = await calibrate(1000)
        for odd in (b'', b'null', b'[]', b'5', b'{}', b'{"iterations":', b'\xff', b'{"iterations":12000}', b'"text"',
                    b'{"ms":1000}', b'{"iterations":true,"ms":1000}', b'{"iterations":"12000","ms":1000}',
                    b'{"iterations":%d,"ms":1000}' % (FLOOR - 1), b'{"iterations":0,"ms":1000}',
                    b'{"iterations":-5,"ms":1000}', b'{"iterations":1000000.5,"ms":1000}',
                    b'{"iterations":null,"ms":1000}', b'{"iterations":%d,"ms":1000}' % (passwords.MAX_ITERATIONS + 1)):
            put('hashing.json', odd)
            before = len(machine.spent)
            assert await load_iterations('hashing.json') == right, odd
            assert len(machine.spent) > before, odd
            assert loads(held('hashing.json')) == {'iterations': right, 'ms': 1000}, odd
    remove('hashing.json')


async def test_H4_a_cut_at_any_step_leaves_a_count_that_is_good():
    remove('hashing.json')
    old = b'{"iterations":%d,"ms":500}' % (FLOOR + 7)
    with Machine(80 * 1000):
        with Disk() as disk:
            right = await load_iterations('hashing.json')
        new = held('hashing.json')
        assert disk.steps >= 3 and loads(new)['iterations'] == right
        for step in range(1, disk.steps + 1):
            put('hashing.json', old)
            with Disk(fail_at=step):
                await outcome(load_iterations('hashing.json'))
            assert held('hashing.json') in (old, new), step
            assert await load_iterations('hashing.json', 500) in (FLOOR + 7, await calibrate(500)), step
    remove('hashing.json', 'hashing.json.new', 'hashing.json.old')


async def test_P3_the_count_is_used_by_setting_it():
    kept = passwords.ITERATIONS
    try:
        with Machine(1000):
            passwords.ITERATIONS = await calibrate(1000)
            hashed = await passwords.hash_password('tulip harbour nine')
            assert hashed.split('$')[1] == str(passwords.ITERATIONS)
            assert passwords.needs_rehash('pbkdf2_sha256$%d$salt$%s' % (passwords.ITERATIONS - 1, 'A' * 43 + '='))
    finally:
        passwords.ITERATIONS = kept


def test_the_default_cost_is_within_what_can_be_measured():
    assert module.FLOOR <= passwords.ITERATIONS <= passwords.MAX_ITERATIONS

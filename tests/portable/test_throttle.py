"""Who guesses waits, whatever names, addresses, clocks and restarts they use; who owns the account gets in."""
import asyncio
import gc

from cheap import Cheap
from client import Client, Warnings, basic, bearer, raises
from clock import START, FakeClock
from disk import Disk, held, put, remove
from microdot import Microdot
from test_digest import Visitor

from dotlatch import files, passwords
from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.digest import DigestAuth
from dotlatch.events import Events
from dotlatch.http import form, source, too_many
from dotlatch.portable import Busy
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers

PATH = 'throttle.bin'
DAY = 86400
YEARS_30 = 30 * 365 * DAY
HOME = '192.168.1.7'


async def fail(throttle, account, source, times=1):
    """So many attempts that may go on, and were wrong."""
    for _ in range(times):
        assert await throttle.attempt(account, source) == 0


async def log_in(throttle, account, source):
    assert await throttle.attempt(account, source) == 0
    await throttle.succeeded(account, source)


async def attack(throttle, clock, account, seconds):
    """Guesses for so long, from ever new addresses, as early as it may; how many there were, by day."""
    began = clock.ticks
    days = [0] * (seconds // DAY + 1)
    number = 0
    while clock.ticks < began + seconds * 1000:
        number += 1
        wait = await throttle.attempt(account, 'far %d' % number)
        if wait:
            clock.advance(min(wait, began // 1000 + seconds - clock.ticks // 1000))
        else:
            days[(clock.ticks - began) // 1000 // DAY] += 1
    return days


class Down:
    """A throttle that is asked over a network, which is down."""
    async def attempt(self, account, source):
        raise OSError(111)

    succeeded = undecided = attempt


class Writes:
    """How often a file was written inside a ``with``."""
    def __enter__(self):
        self.count = 0
        self._kept = kept = files.replace

        def replace(path, data):
            self.count += 1
            kept(path, data)

        files.replace = replace
        return self

    def __exit__(self, *error):
        files.replace = self._kept


class Hashes:
    """How many passwords were hashed inside a ``with``."""
    def __enter__(self):
        self.count = 0
        self._kept = kept = passwords.pbkdf2_hmac_sha256

        async def derive(*args):
            self.count += 1
            return await kept(*args)

        passwords.pbkdf2_hmac_sha256 = derive
        return self

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256 = self._kept


def restarted(**options):
    """What there is after a restart: another clock, which begins at 0, and what the file says."""
    return Throttle(path=PATH, **options)


# --- one account ------------------------------------------------------------------------------------

async def test_L1_the_waits_double_and_the_right_password_ends_them():
    with FakeClock() as clock:
        throttle = Throttle(free=3)
        await fail(throttle, 'anna', 'a', 3)
        waits = []
        for _ in range(12):
            await fail(throttle, 'anna', 'a')
            waits.append(await throttle.attempt('anna', 'a'))
            clock.advance(waits[-1])
        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
        await log_in(throttle, 'anna', 'a')
        await fail(throttle, 'anna', 'a', 4)
        assert await throttle.attempt('anna', 'a') == 1


async def test_L1_of_a_hundred_failures_in_a_row_the_last_is_followed_by_a_day():
    with FakeClock() as clock:
        days = await attack(Throttle(), clock, 'anna', 14 * DAY)
        assert days[0] <= 100 and sum(days[:2]) <= 110, days
        assert max(days[2:]) <= 10, days


async def test_L1_after_an_attack_for_a_day_the_owner_logs_in_from_where_he_did_before():
    with FakeClock() as clock:
        throttle = Throttle()
        await log_in(throttle, 'anna', HOME)
        await attack(throttle, clock, 'anna', DAY)
        assert await throttle.attempt('anna', 'far away') > 0
        await log_in(throttle, 'anna', HOME)


async def test_L1_after_an_attack_for_a_day_the_owner_logs_in_from_elsewhere_a_day_later_at_most():
    with FakeClock() as clock:
        throttle = Throttle()
        await attack(throttle, clock, 'anna', DAY)
        wait = await throttle.attempt('anna', 'hotel')
        assert 900 < wait <= DAY
        clock.advance(wait)
        await log_in(throttle, 'anna', 'hotel')
        await fail(throttle, 'anna', 'hotel', 11)  # that address is known from now on


async def test_L1_after_a_night_of_guesses_at_all_sorts_of_names_the_owner_logs_in_from_anywhere():
    with FakeClock() as clock:
        throttle = Throttle()
        for number in range(5000):
            wait = await throttle.attempt('name %d' % number, 'far %d' % number)
            clock.advance(wait)
        clock.advance(5)
        await log_in(throttle, 'anna', 'hotel')


async def test_L1_what_the_owner_does_from_a_known_address_gives_no_new_guesses_to_others():
    with FakeClock():
        throttle = Throttle(free=3)
        await log_in(throttle, 'anna', HOME)
        await fail(throttle, 'anna', 'far', 4)
        await log_in(throttle, 'anna', HOME)
        assert await throttle.attempt('anna', 'farther') == 1


async def test_L1_a_known_address_has_waits_of_its_own():
    with FakeClock() as clock:
        throttle = Throttle(free=3)
        await log_in(throttle, 'anna', HOME)
        await fail(throttle, 'anna', HOME, 4)
        assert await throttle.attempt('anna', HOME) == 1
        assert await throttle.attempt('anna', 'hotel') == 0
        clock.advance(1)
        await log_in(throttle, 'anna', HOME)


async def test_L1_an_account_that_logs_in_from_everywhere_takes_no_known_address_from_others():
    with FakeClock() as clock:
        throttle = Throttle()
        await log_in(throttle, 'anna', HOME)
        for number in range(200):
            clock.advance(1)
            await log_in(throttle, 'mallory', 'far %d' % number)
        await attack(throttle, clock, 'anna', DAY)
        await log_in(throttle, 'anna', HOME)


async def test_L1_mistakes_that_are_few_a_day_never_add_up():
    with FakeClock() as clock:
        throttle = Throttle()
        for day in range(100):
            for number in range(5):
                await fail(throttle, 'name %d' % (day * 5 + number), 'office', 6)
            await fail(throttle, 'boss', 'lobby', 10)
            clock.advance(DAY)
        assert await throttle.attempt('anna', 'office') == 0


async def test_L1_an_owner_who_finds_a_full_queue_has_not_failed():
    app = Microdot()
    auth = BasicAuth(allow_http=True, throttle=Throttle(free=3))
    state = {'error': Busy('full')}

    @auth.authenticate
    async def check(request, name, password):
        if state['error']:
            raise state['error']
        return name if password == 'right' else None

    @app.get('/')
    @auth
    async def index(request):
        return 'in'

    browser = Client(app)
    for error in (Busy('full'), OSError('down')):
        state['error'] = error
        for _ in range(10):
            res = await browser.get('/', basic('anna', 'right'))
            assert (res.status_code, res.headers['Retry-After']) == (503, '2')
    state['error'] = None
    assert (await browser.get('/', basic('anna', 'right'))).text == 'in'


async def test_L1_an_attempt_taken_back_leaves_what_was_there_before():
    with FakeClock(START):
        throttle = Throttle(free=2)
        assert await throttle.attempt('anna', 'a') == 0
        for _ in range(20):
            assert await throttle.attempt('anna', 'a') == 0
            await throttle.undecided('anna', 'a')
        assert await throttle.attempt('anna', 'a') == 0
        assert await throttle.attempt('anna', 'a') == 0  # the first beyond what is free, which sets the wait
        assert await throttle.attempt('anna', 'a') == 1


async def test_undecided_of_somebody_unknown_is_nothing():
    await Throttle().undecided('nobody', 'nowhere')


async def test_L1_attempts_at_the_same_time_are_no_way_round():
    app = Microdot()
    auth = BasicAuth(allow_http=True, throttle=Throttle(free=3))
    asked = []

    @auth.authenticate
    async def check(request, name, password):
        asked.append(password)
        await asyncio.sleep(0)
        return None

    @app.get('/')
    @auth
    async def index(request):
        return 'in'

    with FakeClock():
        answers = await asyncio.gather(*[Client(app).get('/', basic('anna', str(i))) for i in range(30)])
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429), len(asked)) == (4, 26, 4)


async def test_L4_a_name_is_the_same_in_capitals_and_with_spaces_around_it():
    with FakeClock():
        throttle = Throttle(free=3)
        for name in ('anna', 'Anna', ' ANNA', 'anna '):
            await fail(throttle, name, 'a')
        assert await throttle.attempt('\tanna', 'a') == 1


async def test_names_of_any_length_and_kind_are_counted():
    with FakeClock():
        throttle = Throttle(free=1)
        for name in ('n' * 100000, '\x00', '\u540d', "it's", '"'):
            await fail(throttle, name, 'a', 2)
            assert await throttle.attempt(name, 'b') == 1, name


# --- sources, and all together ------------------------------------------------------------------------

async def test_L2_a_source_that_tries_many_names_waits_and_others_do_not():
    with FakeClock():
        throttle = Throttle(source_free=5)
        for number in range(6):
            await fail(throttle, 'name %d' % number, 'a')
        assert await throttle.attempt('name 7', 'a') == 1
        assert await throttle.attempt('name 7', 'b') == 0


async def test_L2_logging_in_to_an_account_of_ones_own_clears_no_count_of_the_source():
    with FakeClock():
        throttle = Throttle(source_free=5)
        for number in range(6):
            await fail(throttle, 'name %d' % number, 'a')
            if number < 5:
                await log_in(throttle, 'mallory', 'a')
        assert await throttle.attempt('name 7', 'a') == 1
        await log_in(throttle, 'mallory', 'a')
        assert await throttle.attempt('name 7', 'a') == 1


async def test_L2_many_sources_wait_together_and_a_known_one_does_not():
    with FakeClock() as clock:
        throttle = Throttle(overall_free=50)
        await log_in(throttle, 'anna', HOME)
        waits = []
        for number in range(60):
            waits.append(await throttle.attempt('name %d' % number, 'far %d' % number))
            clock.advance(waits[-1])
        assert waits[:51] == [0] * 51 and max(waits) == 5, waits
        await throttle.attempt('name', 'far')
        assert await throttle.attempt('bob', 'far away') == 5
        await log_in(throttle, 'anna', HOME)


async def test_L2_a_token_from_where_one_was_right_before_does_not_wait_for_the_attacks_of_others():
    with FakeClock():
        throttle = Throttle(overall_free=5)
        await log_in(throttle, '', HOME)
        for number in range(6):
            await fail(throttle, '', 'far %d' % number)
        assert await throttle.attempt('', 'far away') == 1
        for _ in range(20):
            await log_in(throttle, '', HOME)


async def test_L2_an_unknown_source_is_shared_by_all_and_is_known_for_nobody():
    with FakeClock():
        throttle = Throttle(free=3, source_free=5)
        await log_in(throttle, 'anna', '')
        for number in range(20):
            await fail(throttle, 'name %d' % number, '')
        await fail(throttle, 'anna', '', 4)
        assert await throttle.attempt('anna', HOME) == 1


async def test_L2_a_hundred_thousand_names_take_no_memory_and_put_nobody_out():
    with FakeClock():
        throttle = Throttle(overall_free=60000)
        while await throttle.attempt('victim', 'far') == 0:
            pass
        with FakeClock(ticks=1000000) as clock:
            await throttle.attempt('victim', 'far')
            for _ in range(12):
                clock.advance(await throttle.attempt('victim', 'far'))
                await throttle.attempt('victim', 'far')
            left = await throttle.attempt('victim', 'far')
            assert left == 900
            before = memory(throttle)
            for number in range(100000):
                await throttle.attempt('name %d' % number, 'far %d' % number)
            assert memory(throttle) <= before
            assert await throttle.attempt('victim', 'farther') == left


def memory(throttle):
    """Bytes: of the whole heap where that is known, or else of what the throttle holds."""
    gc.collect()
    if hasattr(gc, 'mem_alloc'):
        return gc.mem_alloc() // 4096  # what names and addresses leave behind varies
    parts = [part for table in throttle._tables for part in table.__dict__.values()]
    return sum([len(part) for part in parts if hasattr(part, '__len__')])


async def test_L2_no_other_names_between_two_guesses_make_room_for_more_of_them():
    for others in (1, 63, 64, 100, 100000):
        with FakeClock() as clock:
            throttle = Throttle(overall_free=60000)
            guesses = number = 0
            while clock.ticks < 3600000:
                number += 1
                wait = await throttle.attempt('victim', 'far %d' % number)
                if wait == 0:
                    guesses += 1
                else:
                    for _ in range(20):
                        number += 1
                        await throttle.attempt('name %d' % (number % others), 'far %d' % number)
                    clock.advance(min(wait, 5))
            assert guesses <= 24, (others, guesses)  # as many as without them


async def test_L2_logins_to_an_account_of_ones_own_make_no_room_for_more_guesses():
    with FakeClock() as clock:
        throttle = Throttle(overall_free=60000)
        guesses = number = 0
        while clock.ticks < 3600000:
            number += 1
            wait = await throttle.attempt('victim', 'far %d' % number)
            if wait == 0:
                guesses += 1
                continue
            for turn in range(70):
                number += 1
                if await throttle.attempt('mallory' if turn % 2 else 'name %d' % number, 'far %d' % number) == 0:
                    if turn % 2:
                        await throttle.succeeded('mallory', 'far %d' % number)
            clock.advance(min(wait, 20))
        assert guesses <= 24, guesses


async def full(clock, failures, rested, path=None):
    """A throttle with eight places, all taken: the victim has so many failures, the others one more each.

    They wait, unless they have ``rested``.
    """
    throttle = Throttle(overall_free=60000, source_free=240, max_entries=8, path=path)
    for turn in range(failures + 1):
        for name in ('victim', 'b', 'c', 'd', 'e', 'f', 'g', 'h'):
            if path:
                clock.advance(60)  # until it may be written again
            if turn < failures or name != 'victim':
                await fail(throttle, name, 'far %d %s' % (turn, name))
        if turn >= 10:
            clock.advance(min(900, 1 << (turn - 10)))
    if rested:
        clock.advance(900)
    return throttle


async def test_L2_an_account_that_was_put_out_has_no_fewer_failures_when_it_comes_back():
    for failures, left in ((9, 2), (11, 1), (15, 1)):
        with FakeClock() as clock:
            throttle = await full(clock, failures, True)
            await fail(throttle, 'stranger', 'farther')
            guesses = 0
            while await throttle.attempt('victim', 'far away') == 0:
                guesses += 1
            assert guesses <= left, (failures, guesses)


async def test_L2_an_account_of_ones_own_gives_no_failures_of_others_away():
    for path in (None, PATH):
        remove(PATH)
        with FakeClock() as clock:
            throttle = await full(clock, 11, True, path=path)
            await log_in(throttle, 'mallory', 'farther')
            if path:
                throttle = restarted(overall_free=60000, source_free=240, max_entries=8)
                await log_in(throttle, 'mallory', 'still farther')
            await fail(throttle, 'victim', 'far away')
            assert await throttle.attempt('victim', 'far away') > 0


async def test_L2_when_all_that_are_counted_wait_the_others_wait_together_and_none_is_put_out():
    with FakeClock() as clock:
        throttle = await full(clock, 19, False)
        waits = {}
        for name in ('b', 'c', 'd', 'e', 'f', 'g', 'h', 'victim'):
            await throttle.attempt(name, 'farther')
            waits[name] = await throttle.attempt(name, 'farther')
            assert waits[name] >= 300, waits
        for number in range(100):
            assert await throttle.attempt('stranger %d' % number, 'stranger %d' % number) == (900 if number else 0)
        for name in waits:
            assert await throttle.attempt(name, 'farther still') == waits[name], name
        clock.advance(900)
        await log_in(throttle, 'owner', 'hotel')


# --- clocks -------------------------------------------------------------------------------------------

async def test_L5_a_clock_that_is_set_neither_ends_a_wait_nor_makes_it_longer():
    for step in (YEARS_30, -YEARS_30):
        with FakeClock() as clock:
            throttle = Throttle(free=1)
            await fail(throttle, 'anna', 'a', 2)
            clock.advance(1)
            await fail(throttle, 'anna', 'a')
            clock.set(START + step)
            assert await throttle.attempt('anna', 'a') == 2
            clock.advance(2)
            assert await throttle.attempt('anna', 'a') == 0


async def test_L5_ticks_that_wrap_neither_end_a_wait_nor_make_it_longer():
    with FakeClock(ticks=(1 << 30) - 1500) as clock:
        throttle = Throttle(free=1)
        await fail(throttle, 'anna', 'a', 2)
        clock.advance(1)
        await fail(throttle, 'anna', 'a')
        clock.advance(1)  # over the edge
        assert await throttle.attempt('anna', 'a') == 1
        clock.advance(1)
        assert await throttle.attempt('anna', 'a') == 0


# --- all ways in -------------------------------------------------------------------------------------

async def make_ways(throttle, users):
    app = Microdot()
    basic_auth = BasicAuth(allow_http=True, throttle=throttle)
    digest_auth = DigestAuth(realm='Greenhouse', throttle=throttle)
    token_auth = TokenAuth(allow_http=True, throttle=throttle)
    users.digest = digest_auth
    await users.create('anna', 'right')

    @basic_auth.authenticate
    async def check(request, name, password):
        return await users.authenticate(name, password)

    @digest_auth.authenticate
    async def find(request, name):
        return users.get_by_name(name)

    @token_auth.authenticate
    async def find_token(request, token):
        return None

    @app.post('/login')
    async def log_in(request):
        fields = form(request)
        wait = await throttle.attempt(fields['username'], source(request))
        if wait:
            too_many(request, wait)
        if await users.authenticate(fields['username'], fields['password']) is None:
            return 'wrong', 401
        await throttle.succeeded(fields['username'], source(request))
        return 'in'

    async def index(request):
        return 'in'

    app.get('/basic')(basic_auth(index))
    app.get('/')(digest_auth(index))
    app.get('/token')(token_auth(index))
    return app


def digest_visitor(app, name, password):
    return Visitor(app, name, password)


async def test_L4_the_form_basic_and_digest_have_one_count_and_nothing_is_hashed_while_it_waits():
    with FakeClock() as clock, Cheap():
        throttle = Throttle(free=5)
        app = await make_ways(throttle, MemoryUsers())
        client = Client(app)
        thief, owner = digest_visitor(app, 'anna', 'guess'), digest_visitor(app, 'anna', 'right')
        await thief.ask()
        await owner.ask()
        with Hashes() as hashes:
            for _ in range(2):
                assert (await client.post('/login', form='username=anna&password=guess')).status_code == 401
                assert (await client.get('/basic', basic('anna', 'guess'))).status_code == 401
                assert (await thief.send()).status_code == 401
            assert hashes.count == 4  # Digest has none
            for _ in range(20):
                for name in ('right', 'guess'):
                    refused = [await client.post('/login', form='username=anna&password=' + name),
                               await client.get('/basic', basic('anna', name)),
                               await owner.send()]
                    assert [(res.status_code, res.headers['Retry-After']) for res in refused] == [(429, '1')] * 3
            assert hashes.count == 4
        clock.advance(1)
        assert (await client.get('/basic', basic('anna', 'right'))).text == 'in'


async def test_L4_tokens_and_passwords_have_one_count_for_their_source():
    with FakeClock(), Cheap():
        throttle = Throttle(source_free=5)
        app = await make_ways(throttle, MemoryUsers())
        client = Client(app)
        for number in range(3):
            assert (await client.get('/token', bearer('guess'))).status_code == 401
            assert (await client.get('/basic', basic('name %d' % number, 'guess'))).status_code == 401
        with Hashes() as hashes:
            assert (await client.get('/token', bearer('guess'))).status_code == 429
            assert (await client.get('/basic', basic('anna', 'right'))).status_code == 429
            assert (await client.post('/login', form='username=anna&password=right')).status_code == 429
            assert hashes.count == 0


async def test_B5_a_name_that_nobody_has_is_answered_and_hashed_as_one_that_somebody_has():
    with FakeClock(), Cheap():
        seen = []
        for name in ('anna', 'nobody'):
            app = await make_ways(Throttle(free=3), MemoryUsers())
            with Hashes() as hashes:
                for _ in range(8):
                    res = await Client(app).get('/basic', basic(name, 'guess'))
                    seen.append((res.status_code, res.text, res.headers.get('Retry-After'), hashes.count))
        assert seen[:8] == seen[8:] and seen[7][3] == 4, seen


async def test_L4_a_throttle_that_cannot_be_asked_lets_nobody_in():
    with Cheap(), Warnings():
        app = await make_ways(Down(), MemoryUsers())
        with Hashes() as hashes:
            res = await Client(app).get('/basic', basic('anna', 'right'))
        assert (res.status_code, res.headers['Retry-After'], hashes.count) == (503, '2', 0)


# --- the file ------------------------------------------------------------------------------------------

async def test_L5_a_restart_goes_on_with_what_was_left_of_a_wait():
    remove(PATH)
    with FakeClock() as clock:
        throttle = Throttle(path=PATH)
        for _ in range(21):
            clock.advance(await throttle.attempt('anna', 'far'))
            await throttle.attempt('anna', 'far')
        assert await throttle.attempt('anna', 'far') == 900
    for time in (START, START + YEARS_30, START - YEARS_30):
        with FakeClock(time) as clock:
            throttle = restarted()
            assert await throttle.attempt('anna', 'far') == 900
            assert await throttle.attempt('anna', 'farther') == 900
            clock.advance(899)
            assert await throttle.attempt('Anna', 'far') == 1
            clock.advance(1)
            assert await throttle.attempt('bob', 'far') == 0
            assert await throttle.attempt('anna', 'far') == 0
            assert await throttle.attempt('anna', 'far') == 900


async def test_L5_restarts_give_no_more_guesses():
    remove(PATH)
    guesses = 0
    for _ in range(30):
        with FakeClock() as clock:
            throttle = restarted()
            while clock.ticks < 60000:
                wait = await throttle.attempt('anna', 'far')
                guesses += wait == 0
                clock.advance(max(wait, 1))
    assert guesses <= 20, guesses  # as many as in half an hour without one: 10, and 10 more


async def test_L5_a_wait_of_a_day_comes_to_its_end_though_there_are_restarts():
    remove(PATH)
    with FakeClock() as clock:
        throttle = Throttle(path=PATH)
        await attack(throttle, clock, 'anna', DAY)
        assert await throttle.attempt('anna', 'far') > 900
    hours = 0
    wait = 1
    while wait:
        hours += 2
        with FakeClock() as clock:
            throttle = restarted()
            clock.advance(7200)
            wait = await throttle.attempt('anna', 'hotel')
        assert hours <= 26


async def test_L5_the_owner_is_known_after_a_restart():
    remove(PATH)
    with FakeClock() as clock:
        throttle = Throttle(path=PATH)
        await log_in(throttle, 'anna', HOME)
        await attack(throttle, clock, 'anna', DAY)
    with FakeClock():
        throttle = restarted()
        assert await throttle.attempt('anna', 'far') > 0
        await log_in(throttle, 'anna', HOME)


async def test_L5_a_right_password_is_kept_too():
    remove(PATH)
    with FakeClock() as clock:
        throttle = Throttle(path=PATH)
        await fail(throttle, 'anna', 'far', 11)
        clock.advance(1)
        await log_in(throttle, 'anna', 'far')
    with FakeClock():
        await log_in(restarted(), 'anna', 'far')
        await log_in(restarted(), 'anna', 'hotel')


async def test_L5_an_attack_that_was_spread_over_many_addresses_waits_after_a_restart_too():
    remove(PATH)
    with FakeClock() as clock:
        throttle = Throttle(path=PATH, overall_free=50)
        for number in range(100):
            wait = await throttle.attempt('name %d' % number, 'far %d' % number)
            clock.advance(wait)
        clock.advance(60)
        await throttle.attempt('name', 'far')
    with FakeClock():
        throttle = restarted(overall_free=50)
        assert await throttle.attempt('name', 'farther') > 0


async def test_H4_the_file_is_written_once_a_minute_however_many_fail():
    remove(PATH)
    with FakeClock() as clock, Writes() as writes:
        throttle = Throttle(path=PATH, overall_free=60000)
        for number in range(1000):
            await throttle.attempt('name %d' % (number % 100), 'far %d' % number)
        assert 1 <= writes.count <= 9, writes.count
        writes.count = 0
        for number in range(1000):
            clock.advance(6)
            await throttle.attempt('name %d' % (number % 100), 'far %d' % number)
        assert 1 <= writes.count <= 108, writes.count  # in 100 minutes


async def test_H4_nothing_is_written_for_who_is_right():
    remove(PATH)
    with FakeClock() as clock, Writes() as writes:
        throttle = Throttle(path=PATH)
        for _ in range(1000):
            clock.advance(60)
            await log_in(throttle, 'anna', HOME)
            await log_in(throttle, '', HOME)
        assert writes.count <= 3, writes.count  # the file itself, and two known addresses


async def test_H4_a_wait_is_in_the_file_before_the_password_is_looked_at():
    remove(PATH)
    with FakeClock() as clock:
        throttle = Throttle(path=PATH, free=1, overall_free=60000)
        let = 0
        for number in range(50):  # more than may be written at once
            await throttle.attempt('name %d' % number, 'far %d' % number)
            clock.advance(0.1)
            if await throttle.attempt('name %d' % number, 'far %d' % number) == 0:
                let += 1
                data = held(PATH)
                with FakeClock():
                    assert await restarted(free=1).attempt('name %d' % number, 'far') == 1
                put(PATH, data)
        assert 5 <= let < 20, let


async def test_H4_a_power_cut_at_any_step_leaves_the_old_counts_or_the_new():
    for fat in (False, True):
        step = 0
        while True:
            step += 1
            remove(PATH, PATH + '.old')
            with FakeClock() as clock:
                throttle = Throttle(path=PATH)
                await fail(throttle, 'anna', 'far', 11)
                clock.advance(1)
                with Warnings(), Disk(fail_at=step, fat=fat) as disk:
                    assert await throttle.attempt('anna', 'far') == 0
                assert await throttle.attempt('anna', 'far') == 2  # in memory it counts in any case
            with FakeClock(), Warnings() as warnings:
                assert await restarted().attempt('anna', 'far') in (1, 2)
                assert warnings == []
            if disk.steps < step:
                break
        assert step > 3


async def test_H4_a_damaged_file_is_told_and_gives_few_free_guesses():
    with FakeClock() as clock:
        remove(PATH)
        throttle = Throttle(path=PATH)
        await fail(throttle, 'anna', 'far', 11)
        clock.advance(1)
        good = held(PATH)
    for data in (b'', b'x', good[:-1], good[:40], good + b'x', b'{}', good[:100] + bytes([good[100] ^ 1]) + good[101:],
                 good[:10] + bytes([good[10] ^ 1]) + good[11:], b'dlt2' + good[4:]):
        put(PATH, data)
        events = Events()
        with FakeClock(), Warnings() as warnings:
            throttle = restarted(events=events)
            assert len(warnings) == 1 and events.recent()[0]['event'] == 'throttle_reset'
            assert events.recent()[0]['path'] == PATH
            await fail(throttle, 'anna', 'far', 3)
            assert await throttle.attempt('anna', 'far') == 1
        with FakeClock(), Warnings() as warnings:
            assert await restarted().attempt('anna', 'far') == 1
            assert warnings == []


async def test_a_file_that_cannot_be_written_is_told_once_and_the_counts_go_on():
    remove(PATH)
    with FakeClock() as clock, Warnings() as warnings, Disk(fail_at=1):
        throttle = Throttle(path=PATH, free=2)
        await fail(throttle, 'anna', 'far', 3)
        assert await throttle.attempt('anna', 'far') == 1
        clock.advance(600)
        await fail(throttle, 'anna', 'far')
        assert len(warnings) == 1


async def test_the_file_tells_no_names_and_no_addresses():
    remove(PATH)
    with FakeClock():
        throttle = Throttle(path=PATH)
        await log_in(throttle, 'annabella', HOME)
        await fail(throttle, 'annabella', '10.1.2.3', 11)
        data = held(PATH)
        assert len(data) > 1000
        for text in (b'annabella', b'192.168', b'10.1.2', b'annab'):
            assert data.find(text) < 0


async def test_a_table_of_another_size_takes_over_what_has_most_failures():
    for before, after in ((64, 8), (8, 64)):
        remove(PATH)
        with FakeClock() as clock:
            throttle = Throttle(path=PATH, max_entries=before)
            await log_in(throttle, 'anna', HOME)
            for number in range(5):
                await fail(throttle, 'name %d' % number, 'far')
            await fail(throttle, 'anna', 'far', 11)
            clock.advance(1)
            await fail(throttle, 'anna', 'far')
        with FakeClock():
            throttle = restarted(max_entries=after)
            assert await throttle.attempt('anna', 'far') == 2
            await log_in(throttle, 'anna', HOME)


def test_numbers_out_of_bounds_are_refused():
    for options in ({'free': 0}, {'free': 81}, {'source_free': 0}, {'source_free': 241}, {'overall_free': 0},
                    {'overall_free': 60001}, {'longest': 0}, {'longest': 3601}, {'max_entries': 7}):
        raises(ValueError, Throttle, **options)

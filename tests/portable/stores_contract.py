"""What every session store promises, as cases: each takes a function that gives an empty store.

    async def test_a_logout_wins():
        await stores_contract.a_logout_wins_over_a_late_save(make)

``make(max_sessions)`` is called once or more in a case. The cases of BY_THE_CLOCK and ROOM put a FakeClock in place, so
they are not for a store whose server has a clock of its own.
"""
import gc

from clock import EPOCH_2000, START, UNSET, FakeClock

from dotlatch import tokens
from dotlatch.portable import now, random_id, uptime_ms
from dotlatch.session import SessionDict
from dotlatch.stored import Stored

ALMOST = 'A' * 21
HOSTILE_IDS = [
    '', '.', '..', '../', '../../etc/passwd', '/', 'users.json', '*', '%2e%2e%2f', "' OR 1=1 --",
    ALMOST, ALMOST + 'AA', 'A' * 44, 'A' * 5000, ALMOST + ' ', ' ' + ALMOST, ALMOST + '\n', ALMOST + 'A\n',
    ALMOST + '\0', '\0' * 22, ALMOST + '/', '../' + 'A' * 19, 'A' * 20 + '..', 'A' * 18 + '.old', 'A' * 18 + '.new',
    'A' * 22 + '.old', 'A' * 22 + '.new', ALMOST + '=', ALMOST + '+', ALMOST + '*', ALMOST + ':', ALMOST + '~',
    # letters and digits of other alphabets, some of which look right
    ALMOST + '\xe9', ALMOST + '\u0410', '\u0410' * 22, 'A' * 20 + '\u0410', '\uff21' * 22, ALMOST + '\u0661',
    ALMOST + '\u00aa', ALMOST + '\u2044', '\u0391' * 11, ALMOST + '\U0001d400',
    b'A' * 22, bytearray(b'A' * 22), None, 0, 22, True, ['A'] * 22, ('A',) * 22, {}, object()]


def record(user=None, seen=None, ttl=3600, **more):
    """A record as sessions have it, by whichever clock there is."""
    claims = tokens.with_lifetime(more, ttl)
    claims['seen'] = (uptime_ms() // 1000 if now() is None else now()) if seen is None else seen
    if user is not None:
        claims['user'] = user
    return claims


async def new(store, session_id=None, **more):
    session_id = session_id or random_id()
    assert await store.save(session_id, record(**more), new=True) is True
    return session_id


async def some(store, count, **more):
    ids = []
    for _ in range(count):
        ids.append(await new(store, **more))
    return ids


class _Extension:
    def hand_out(self, request, response, session):
        assert session.token is None


async def use(store, session_id, loaded, seconds=5):
    """Write down, as a session does, that it was used: some time after a request has loaded its record."""
    used = dict(loaded, jti=session_id, seen=loaded['seen'] + seconds)
    session, kept = SessionDict(None, {}), Stored(_Extension(), store)
    kept.touch(session, used)
    assert await kept.respond(None, None, session) is None
    return used['seen']


async def listed(store, user):
    """The ids of a user's sessions."""
    return [name for name, _ in await store.list_user(user)]


async def alive(store, ids):
    """Those of the sessions that are there."""
    found = []
    for session_id in ids:
        if await store.load(session_id) is not None:
            found.append(session_id)
    return found


async def error_of(awaitable):
    try:
        await awaitable
    except Exception as error:
        return error


def memory_for(many, few):
    """``few`` where memory is a board's."""
    return few if hasattr(gc, 'mem_free') and gc.mem_free() < 20000000 else many


# --- records ----------------------------------------------------------------------------------------

async def what_is_saved_is_loaded(make):
    store = make(8)
    kept = record('anna', data={'n': [1, -2, {'deep': [None, True, False, '']}], '': 'no name',
                                'text': 'Zo\xeb \u2603 "\\/'}, secret='s' * 43, big=1 << 40, half=0.5)
    session_id = random_id()
    assert await store.save(session_id, kept, new=True) is True
    assert await store.load(session_id) == kept
    kept['data'] = {}
    assert await store.save(session_id, kept) is True
    assert await store.load(session_id) == kept


async def an_unknown_session_is_none_and_is_not_made_by_saving(make):
    store = make(8)
    session_id = random_id()
    assert await store.load(session_id) is None
    assert await store.save(session_id, record('anna')) is False
    assert await store.load(session_id) is None
    assert await store.list_user('anna') == []


async def a_session_is_made_once(make):
    store = make(8)
    session_id = await new(store, user='anna')
    assert await store.save(session_id, record('bert'), new=True) is False
    assert (await store.load(session_id))['user'] == 'anna'


async def a_logout_wins_over_a_late_save(make):
    store = make(8)
    session_id = await new(store, user='anna')
    late = await store.load(session_id)
    await store.delete(session_id)
    assert await store.load(session_id) is None
    late['seen'] += 1
    assert await store.save(session_id, late) is False
    assert await store.load(session_id) is None
    assert await store.list_user('anna') == []


async def ending_everything_wins_over_a_late_save(make):
    store = make(8)
    session_id = await new(store, user='anna')
    late = await store.load(session_id)
    assert await store.delete_user('anna') == 1
    assert await store.save(session_id, late) is False
    assert await store.load(session_id) is None


async def deleting_twice_is_no_error(make):
    store = make(8)
    session_id, other = await new(store), await new(store)
    assert await store.delete(session_id) is True
    assert await store.delete(session_id) is False
    assert await store.delete(random_id()) is False
    assert await store.load(session_id) is None
    assert await store.load(other) is not None


async def changing_a_record_changes_nothing_that_is_kept(make):
    store = make(8)
    session_id = random_id()
    given = record('anna', data={'list': [1], 'inner': {'a': 1}})
    await store.save(session_id, given, new=True)
    given['data']['list'].append(2)
    given['user'] = 'bert'
    loaded = await store.load(session_id)
    assert loaded['user'] == 'anna' and loaded['data'] == {'list': [1], 'inner': {'a': 1}}
    loaded['data']['inner']['a'] = 2
    loaded['secret'] = 'another'
    shown = (await store.list_user('anna'))[0][1]
    shown['data']['list'].clear()
    again = await store.load(session_id)
    assert again['data'] == {'list': [1], 'inner': {'a': 1}} and 'secret' not in again


async def sessions_are_never_mixed_up(make):
    store = make(16)
    ids = []
    for i in range(10):
        ids.append(await new(store, user='user%d' % i, data={'n': i}))
    twins = [ids[0][:21] + ('B' if ids[0][21] == 'A' else 'A'), ids[0][:21] + ids[0][21].lower()]
    for i, session_id in enumerate(ids):
        loaded = await store.load(session_id)
        assert loaded['user'] == 'user%d' % i and loaded['data'] == {'n': i}
    for twin in twins:
        if twin != ids[0]:
            assert await store.load(twin) is None


async def what_cannot_be_kept_is_refused_and_changes_nothing(make):
    store = make(8)
    session_id = await new(store, user='anna', data={'a': 1})
    refused = [(b'bytes', TypeError), ({1}, TypeError), ({1: 2}, TypeError), (object(), TypeError),
               (float('inf'), TypeError), ('x' * 5000, ValueError), ([1] * 5000, ValueError)]
    for value, error in refused:
        for is_new in (False, True):
            wrong = record('anna', data={'a': value})
            raised = await error_of(store.save(random_id() if is_new else session_id, wrong, is_new))
            assert type(raised) is error, (value, is_new, raised)
    assert (await store.load(session_id))['data'] == {'a': 1}
    assert len(await store.list_user('anna')) == 1


async def hostile_ids_are_no_sessions(make):
    store = make(8)
    good = await new(store, 'A' * 22, user='anna')
    for hostile in HOSTILE_IDS:
        assert await store.load(hostile) is None, hostile
        assert await store.save(hostile, record('anna')) is False, hostile
        assert await store.save(hostile, record('anna'), new=True) is False, hostile
        assert await store.delete(hostile) is False, hostile
        await use(store, hostile, record('anna'))
    assert await listed(store, 'anna') == [good]
    assert await store.delete_user('bert', keep='../' + 'A' * 19) == 0
    assert await store.delete_user('anna', keep='A' * 21 + '\0') == 1
    assert await store.load(good) is None


# --- one user's sessions ----------------------------------------------------------------------------

async def all_sessions_of_one_user_end_but_the_one_that_is_kept(make):
    store = make(16)
    mine = await some(store, 4, user='anna')
    others = [await new(store, user='bert'), await new(store), await new(store, user='ann'),
              await new(store, user='anna ')]
    assert await store.delete_user('anna', keep=mine[2]) == 3
    assert await listed(store, 'anna') == [mine[2]]
    for session_id in others:
        assert await store.load(session_id) is not None
    assert await store.delete_user('anna', keep=others[0]) == 1
    assert await store.delete_user('anna') == 0
    assert await store.list_user('anna') == []


async def user_ids_are_compared_with_their_type(make):
    store = make(16)
    number, text, one = await new(store, user=7), await new(store, user='7'), await new(store, user=1)
    none, empty = await new(store), await new(store, user='')
    assert await listed(store, 7) == [number]
    assert await listed(store, '7') == [text]
    for nobody in (None, True, False, 7.0, b'7', [7]):
        assert await store.list_user(nobody) == [], nobody
        assert await store.delete_user(nobody) == 0, nobody
    assert await store.delete_user(7) == 1
    for session_id in (text, one, none, empty):
        assert await store.load(session_id) is not None


async def the_list_begins_with_the_session_used_last(make):
    store = make(16)
    time = record()['seen']
    ids = {}
    for age in (30, 5, 60, 10, 45):
        ids[age] = await new(store, user='anna', seen=time - age)
    await new(store, user='bert', seen=time)
    found = await store.list_user('anna')
    assert [name for name, _ in found] == [ids[age] for age in (5, 10, 30, 45, 60)]
    assert [kept['seen'] for _, kept in found] == [time - age for age in (5, 10, 30, 45, 60)]
    used = await store.load(ids[60])
    used['seen'] = time
    await store.save(ids[60], used)
    assert (await store.list_user('anna'))[0][0] == ids[60]


# --- the time of use ----------------------------------------------------------------------------------

async def a_use_is_written_beside_what_others_have_saved(make):
    store = make(8)
    session_id = await new(store, user='anna', secret='s' * 43, data={'n': 1})
    late = await store.load(session_id)
    assert await store.save(session_id, dict(late, data={'n': [2]})) is True
    seen = await use(store, session_id, late)
    kept = await store.load(session_id)
    assert [kept[name] for name in ('seen', 'data', 'user', 'secret', 'exp')] == [
        seen, {'n': [2]}, 'anna', 's' * 43, late['exp']]
    assert (await store.list_user('anna'))[0][1] == kept


async def a_use_brings_nothing_back_that_was_ended(make):
    store = make(8)
    for end in (store.delete, lambda session_id: store.delete_user('anna')):
        session_id = await new(store, user='anna', data={})
        late = await store.load(session_id)
        await end(session_id)
        await use(store, session_id, late)
        assert await store.load(session_id) is None
        assert await store.list_user('anna') == []
        assert await store.save(session_id, late) is False


# --- by the clock -------------------------------------------------------------------------------------

async def an_ended_session_is_none_and_not_in_the_list(make):
    for time, epoch in ((START, 0), (START, EPOCH_2000), (UNSET, 0), (EPOCH_2000 + 100, EPOCH_2000)):
        with FakeClock(time=time, epoch=epoch) as clock:
            store = make(8)
            short, long = await new(store, user='anna', ttl=60), await new(store, user='anna', ttl=600)
            clock.advance(59)
            assert len(await store.list_user('anna')) == 2, (time, epoch)
            clock.advance(1)
            assert await store.load(short) is None, (time, epoch)
            assert await listed(store, 'anna') == [long], (time, epoch)
            clock.advance(600)
            assert await store.load(long) is None, (time, epoch)
            assert await store.delete_user('anna') == 0, (time, epoch)


async def sessions_of_an_earlier_boot_by_uptime_are_ended(make):
    with FakeClock(time=UNSET):
        store = make(8)
        session_id = await new(store, user='anna')
        assert await store.load(session_id) is not None
        boot = tokens.BOOT_ID
        tokens.BOOT_ID = 'another boot'
        try:
            assert await store.load(session_id) is None
            assert await store.list_user('anna') == []
        finally:
            tokens.BOOT_ID = boot


async def sessions_go_on_when_the_clock_becomes_known(make):
    with FakeClock(time=UNSET) as clock:
        store = make(8)
        early = await new(store, user='anna', ttl=600)
        clock.advance(10)
        clock.set(START)
        late = await new(store, user='anna', ttl=600)
        clock.advance(100)
        assert await listed(store, 'anna') == [late, early]
        clock.advance(489)
        assert await alive(store, [early, late]) == [early, late]
        clock.advance(1)
        assert await alive(store, [early, late]) == [late]
        clock.advance(10)
        assert await alive(store, [early, late]) == []


async def sessions_wait_for_the_clock_after_a_restart(make):
    with FakeClock() as clock:
        store = make(8)
        kept, ended = await new(store, user='anna'), await new(store, user='bert')
        clock.set(UNSET)  # a board without a battery
        assert await store.load(kept) is None
        assert await store.list_user('anna') == []
        assert await store.delete_user('bert') == 1  # a password was changed: it must not wait for the clock
        clock.set(START + 60)
        assert await store.load(kept) is not None
        assert await store.load(ended) is None


async def a_record_without_an_end_is_no_session(make):
    with FakeClock():
        store = make(8)
        wrong = [{}, {'exp': None}, {'exp': '9999999999'}, {'exp': [START]}, {'exp': {}}, {'exp': START},
                 {'exp': True}, {'exp': START + 60.5}, {'nbf': START - 60}, {'seen': START},
                 {tokens.BOOT_CLAIM: []}, {tokens.BOOT_CLAIM: 5}, {tokens.BOOT_CLAIM: [tokens.BOOT_ID, 'x']},
                 {tokens.BOOT_CLAIM: [tokens.BOOT_ID]}, {tokens.BOOT_CLAIM: None, 'exp': START + 60}]
        for claims in wrong:
            session_id = random_id()
            claims['user'] = 'anna'
            await error_of(store.save(session_id, claims, new=True))
            assert await store.load(session_id) is None, claims
            assert await store.list_user('anna') == [], claims


# --- room ---------------------------------------------------------------------------------------------

async def the_session_used_longest_ago_makes_room(make):
    with FakeClock() as clock:
        store = make(4)
        ids = []
        for _ in range(4):
            clock.advance(10)
            ids.append(await new(store))
        clock.advance(10)
        used = await store.load(ids[0])
        used['seen'] = now()
        assert await store.save(ids[0], used) is True
        ids.append(await new(store))
        assert await alive(store, ids) == [ids[0], ids[2], ids[3], ids[4]]
        clock.advance(10)
        ids.append(await new(store))
        assert await alive(store, ids) == [ids[0], ids[3], ids[4], ids[5]]


async def ended_sessions_make_room_first(make):
    with FakeClock() as clock:
        store = make(4)
        old = [await new(store, ttl=100000), await new(store, ttl=100000)]
        clock.advance(1000)
        short = [await new(store, ttl=60), await new(store, ttl=60)]
        clock.advance(61)
        more = [await new(store), await new(store)]
        assert await alive(store, old + short + more) == old + more


async def a_store_that_is_not_full_drops_nothing(make):
    store = make(6)
    ids = []
    for i in range(6):
        ids.append(await new(store, seen=i))
    for session_id in ids:
        assert await store.save(session_id, record('anna')) is True
    assert await store.save(random_id(), record()) is False
    assert await store.save(ids[3], record(), new=True) is False
    assert await alive(store, ids) == ids
    await store.delete(ids[0])
    ids.append(await new(store))
    assert await alive(store, ids) == ids[1:]


async def the_two_clocks_are_weighed_against_each_other(make):
    with FakeClock(time=UNSET) as clock:
        store = make(3)
        first = await new(store, ttl=90000)
        clock.advance(500)
        second = await new(store, ttl=90000)
        clock.set(START)
        third = await new(store, ttl=90000)
        clock.advance(100)
        ids = [first, second, third, await new(store)]
        assert await alive(store, ids) == ids[1:]
        clock.advance(100)
        used = await store.load(second)
        used['seen'] = uptime_ms() // 1000  # on the clock by which it ends
        await store.save(second, used)
        ids.append(await new(store))
        assert await alive(store, ids) == [second] + ids[3:]


async def sessions_that_wait_for_the_clock_make_room_before_those_of_this_boot(make):
    with FakeClock() as clock:
        store = make(4)
        waiting = []
        for _ in range(2):
            waiting.append(await new(store))
            clock.advance(10)
        clock.set(UNSET)
        ended = await new(store, ttl=5)
        clock.advance(10)
        ids = await some(store, 3)   # the ended one went first, then the older of those that wait
        assert await alive(store, ids) == ids
        clock.set(START + 60)
        assert await alive(store, waiting) == waiting[1:]
        assert await store.load(ended) is None


async def a_clock_that_was_ahead_leaves_no_session_that_outlives_all_others(make):
    with FakeClock() as clock:
        store = make(3)
        clock.set(START + 30 * 365 * 86400)
        ahead = await some(store, 3)
        clock.set(START)
        ids = await some(store, 3)
        assert await alive(store, ahead + ids) == ids
        clock.set(START - 2)  # a clock that is put right by two seconds changes nothing
        ids.append(await new(store, seen=START - 60))
        ids.append(await new(store))
        left = await alive(store, ids)
        assert len(left) == 3 and ids[3] not in left and ids[4] in left


async def room_for_one_is_room(make):
    store = make(1)
    ids = await some(store, 3)
    assert await alive(store, ids) == ids[2:]


RECORDS = [
    what_is_saved_is_loaded, an_unknown_session_is_none_and_is_not_made_by_saving, a_session_is_made_once,
    a_logout_wins_over_a_late_save, ending_everything_wins_over_a_late_save, deleting_twice_is_no_error,
    changing_a_record_changes_nothing_that_is_kept, sessions_are_never_mixed_up,
    what_cannot_be_kept_is_refused_and_changes_nothing, hostile_ids_are_no_sessions]
USERS = [
    all_sessions_of_one_user_end_but_the_one_that_is_kept, user_ids_are_compared_with_their_type,
    the_list_begins_with_the_session_used_last]
USES = [a_use_is_written_beside_what_others_have_saved, a_use_brings_nothing_back_that_was_ended]
BY_THE_CLOCK = [
    an_ended_session_is_none_and_not_in_the_list, sessions_of_an_earlier_boot_by_uptime_are_ended,
    sessions_go_on_when_the_clock_becomes_known, sessions_wait_for_the_clock_after_a_restart,
    a_record_without_an_end_is_no_session]
ROOM = [
    the_session_used_longest_ago_makes_room, ended_sessions_make_room_first, a_store_that_is_not_full_drops_nothing,
    the_two_clocks_are_weighed_against_each_other,
    sessions_that_wait_for_the_clock_make_room_before_those_of_this_boot,
    a_clock_that_was_ahead_leaves_no_session_that_outlives_all_others, room_for_one_is_room]

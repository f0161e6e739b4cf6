"""Session stores: one contract for all, a bound, and files that no power cut and no damage turns into somebody else."""
import os

import stores_contract as contract
from clock import START, UNSET, FakeClock
from disk import Cut, Disk, _System, exists, held, put
from stores_contract import alive, error_of, listed, new, record, some

from dotlatch import files, stores
from dotlatch.portable import random_id
from dotlatch.stores import FileStore, MemoryStore, is_session_id
from dotlatch.strictjson import loads

ANNA = 'AnnaAnnaAnnaAnnaAnna_A'
BERT = 'BertBertBertBertBert-A'


def fresh():
    """No file of an earlier test."""
    for name in os.listdir('.'):
        remove(name)


def remove(path):
    try:
        os.remove(path)
    except OSError:  # a folder
        for name in os.listdir(path):
            os.remove(path + '/' + name)
        os.rmdir(path)


def memory(max_sessions=8):
    return MemoryStore(max_sessions)


def folder(max_sessions=8):
    fresh()
    return FileStore('sessions', max_sessions)


class Own:
    """A program's own store: the five methods of :mod:`dotlatch.stores`, and no other."""
    def __init__(self, max_sessions):
        store = MemoryStore(max_sessions)
        self.load, self.save, self.delete = store.load, store.save, store.delete
        self.delete_user, self.list_user = store.delete_user, store.list_user


def session_files():
    """What is in the folder but for the lock that processes hold."""
    return sorted([name for name in os.listdir('sessions') if name != '.lock'])


class StoreDisk(Disk):
    """A disk whose steps are counted where the store itself renames and removes, too."""
    def __enter__(self):
        super().__enter__()
        stores.os = _System(self)
        return self

    def __exit__(self, *error):
        stores.os = os
        super().__exit__(*error)


class Unsynced:
    """Files are not waited for: what is tested here takes no harm from it, and thousands are written."""
    def __enter__(self):
        self._kept = files.sync
        files.sync = lambda *args: None

    def __exit__(self, *error):
        files.sync = self._kept


# --- the contract, kept by both -----------------------------------------------------------------------

async def test_what_is_saved_is_loaded_until_it_is_ended():
    for case in contract.RECORDS:
        for make in (memory, folder):
            await case(make)


async def test_S3_a_logout_wins_over_a_late_save():
    for make in (memory, folder):
        await contract.a_logout_wins_over_a_late_save(make)
        await contract.ending_everything_wins_over_a_late_save(make)


async def test_S6_all_sessions_of_a_user_can_be_listed_and_ended():
    for case in contract.USERS:
        for make in (memory, folder):
            await case(make)


async def test_S11_the_time_of_use_is_written_and_takes_back_no_save_and_no_logout():
    for case in contract.USES:
        for make in (memory, folder, Own):
            await case(make)


async def test_S4_sessions_end_by_the_clock_there_is():
    for case in contract.BY_THE_CLOCK:
        for make in (memory, folder):
            await case(make)


async def test_S11_a_full_store_has_room_for_a_new_session():
    for case in contract.ROOM:
        for make in (memory, folder):
            await case(make)


async def test_S12_hostile_ids_are_no_sessions():
    for make in (memory, folder):
        await contract.hostile_ids_are_no_sessions(make)


def test_S12_an_id_is_22_characters_of_ascii():
    for hostile in contract.HOSTILE_IDS:
        assert is_session_id(hostile) is False, hostile
    for _ in range(100):
        assert is_session_id(random_id()) is True
    for good in ('A' * 22, 'z' * 22, '-' * 22, '_' * 22, '0123456789-_azAZ012345'):
        assert is_session_id(good) is True
    for code in range(0x250):
        c = chr(code)
        expected = 'a' <= c <= 'z' or 'A' <= c <= 'Z' or '0' <= c <= '9' or c in '-_'
        for place in (0, 11, 21):
            text = 'A' * place + c + 'A' * (21 - place)
            assert is_session_id(text) is expected, (code, place)


async def test_S12_a_hostile_id_does_not_reach_the_file_system():
    store = folder()
    await new(store, user='anna')

    class NoFiles:
        def __getattr__(self, name):
            raise AssertionError('the file system was asked: ' + name)

    def refuse(*args):
        raise AssertionError('the file system was asked: %r' % (args,))

    read, replace = files.read, files.replace
    stores.os, files.read, files.replace = NoFiles(), refuse, refuse
    try:
        for hostile in contract.HOSTILE_IDS:
            assert await store.load(hostile) is None
            assert await store.save(hostile, record()) is False
            assert await store.save(hostile, record(), new=True) is False
            assert await store.delete(hostile) is False
            assert await store.touch(hostile, record()) is None
    finally:
        stores.os, files.read, files.replace = os, read, replace


# --- bounds -------------------------------------------------------------------------------------------

async def test_S11_ten_thousand_sessions_in_memory_are_never_more_than_there_may_be():
    for bound in (1, 16, contract.memory_for(130, 66)):
        store = memory(bound)
        most = 0
        for i in range(contract.memory_for(10000, 300)):
            await new(store, seen=i, user='anna')
            most = max(most, len(store._records))
        assert most == bound
        assert len(await store.list_user('anna')) >= bound - bound // 64


async def test_S11_ten_thousand_sessions_in_files_are_never_more_than_there_may_be():
    with Unsynced(), FakeClock():
        store = folder(6)
        most = 0
        for i in range(contract.memory_for(10000, 40)):
            await new(store, seen=START - 20000 + i, user='anna')
            most = max(most, len(session_files()))
        assert most == 6
        left = [kept['seen'] + 20000 - START for _, kept in await store.list_user('anna')]
        assert left == list(range(i, i - 6, -1))


async def test_a_large_store_frees_a_64th_of_its_places_at_once_and_those_used_longest_ago():
    store = memory(64)
    with FakeClock():
        ids = []
        for i in range(64):
            ids.append(await new(store, seen=START - 1000 + i))
        ids.append(await new(store))
        assert await alive(store, ids) == ids[2:]


async def test_a_smaller_bound_holds_for_what_was_there_before():
    store = folder(8)
    with FakeClock():
        ids = []
        for i in range(8):
            ids.append(await new(store, seen=START - 100 + i))
        store = FileStore('sessions', 3)
        ids.append(await new(store))
        assert await alive(store, ids) == ids[6:]
        assert len(session_files()) == 3


def test_a_store_without_room_is_refused():
    fresh()
    for make in (MemoryStore, lambda max_sessions: FileStore('sessions', max_sessions)):
        for bound in (0, -1):
            try:
                make(max_sessions=bound)
            except ValueError:
                continue
            raise AssertionError('a store for %d sessions' % bound)


async def test_the_size_of_a_record_has_a_bound_that_can_be_set():
    fresh()
    for store in (MemoryStore(4, max_record=300), FileStore('sessions', 4, max_record=300)):
        session_id = await new(store, data='x' * 100)
        error = await error_of(store.save(session_id, record(data='x' * 300)))
        assert type(error) is ValueError and '300' in str(error)
        assert (await store.load(session_id))['data'] == 'x' * 100


# --- files --------------------------------------------------------------------------------------------

async def test_sessions_outlast_the_program_in_files():
    store = folder()
    session_id = await new(store, user='anna', data={'n': 1})
    again = FileStore('sessions')
    assert (await again.load(session_id))['data'] == {'n': 1}
    await again.delete(session_id)
    assert await store.load(session_id) is None
    assert session_files() == []


async def test_S11_a_logout_by_another_process_wins_over_a_late_save():
    store = folder()
    other = FileStore('sessions')
    session_id = await new(store, user='anna')
    late = await store.load(session_id)
    await other.delete(session_id)
    assert await store.save(session_id, late) is False
    assert await store.load(session_id) is None and await other.load(session_id) is None
    assert session_files() == []


async def test_a_file_holds_json_under_the_id_and_the_secret_s_hash_alone():
    store = folder()
    await new(store, ANNA, user='anna', secret='hash of the secret')
    check, kept = loads(held('sessions/' + ANNA))
    assert kept['user'] == 'anna' and len(check) == 16
    assert session_files() == [ANNA]


async def test_H4_nothing_is_written_unless_asked():
    store = folder()
    with FakeClock() as clock, StoreDisk() as disk:
        ended = await new(store, user='anna', ttl=10)
        session_id = await new(store, user='anna')
        clock.advance(20)
        disk.steps = 0
        for _ in range(50):
            assert await store.load(session_id) is not None
            assert await store.load(ended) is None
            assert await store.load(random_id()) is None
            assert await store.save(random_id(), record()) is False
            assert len(await store.list_user('anna')) == 1
            assert await store.delete_user('bert') == 0
        FileStore('sessions')
        assert disk.steps == 0
        assert len(session_files()) == 2


async def test_other_files_in_the_folder_are_left_alone_and_are_no_sessions():
    store = folder(2)
    others = {'README': b'mine', 'x.new': b'1', 'x.old': b'2', 'A' * 23 + '.new': b'3', 'A' * 22 + 'B.old': b'4',
              'A' * 22 + '.txt': b'5', 'A' * 22 + 'new': b'6'}
    for name in others:
        put('sessions/' + name, others[name])
    with FakeClock():
        store = FileStore('sessions', 2)
        ids = []
        for i in range(5):
            ids.append(await new(store, user='anna', seen=START - 9 + i))
        assert await alive(store, ids) == ids[3:]
        assert await store.delete_user('anna') == 2
    for name in others:
        assert held('sessions/' + name) == others[name], name


def test_a_folder_that_cannot_be_made_is_an_error_at_the_start():
    fresh()
    put('sessions', b'a file')
    for path in ('sessions', 'no/such/folder', 'sessions/below'):
        try:
            FileStore(path)
        except OSError:
            continue
        raise AssertionError('a store at ' + path)


# --- damage -------------------------------------------------------------------------------------------

async def damaged_everywhere(what, how):
    """Load a session whose file was damaged in each possible place; what was loaded instead of the record."""
    store = folder()
    await new(store, ANNA, user='anna', data={'n': 1})
    await new(store, BERT, user='bert')
    whole = held('sessions/' + ANNA)
    kept = await store.load(ANNA)
    wrong = []
    times = 0
    read = files.read
    current = []
    files.read = lambda path: current[0] if path.endswith(ANNA) else read(path)
    try:
        for place in range(len(whole)):
            for current in [[data] for data in how(whole, place)]:
                times += 1
                loaded = await store.load(ANNA)
                if loaded is not None and (loaded != kept or current[0] != whole):
                    wrong.append((place, current[0], loaded))
            assert await listed(store, 'bert') == [BERT]
    finally:
        files.read = read
    assert await store.load(ANNA) == kept
    print('figure: a session file of %d bytes %s at every byte: %d damages, %d of them read as some other session'
          % (len(whole), what, times, len(wrong)))
    return wrong


async def test_S11_a_file_with_a_flipped_bit_anywhere_is_no_session():
    def flip(whole, place):
        for bit in range(8):
            yield whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1:]
    assert await damaged_everywhere('with each bit flipped', flip) == []


async def test_S11_a_file_cut_or_grown_anywhere_is_no_session():
    def cut(whole, place):
        yield whole[:place]
        yield whole[place + 1:]
        yield whole[:place] + whole[place + 1:]
        yield whole[:place] + b'\0' * (len(whole) - place)
        yield whole[:place] + b'\xff' * (len(whole) - place)
        yield whole[:place] + b' ' + whole[place:]
        yield whole[:place] + whole[:place]
        yield whole + whole[place:]
    assert await damaged_everywhere('cut or grown', cut) == []


async def test_S11_a_file_truncated_on_the_medium_is_no_session_and_can_be_ended():
    store = folder()
    await new(store, ANNA, user='anna')
    whole = held('sessions/' + ANNA)
    for size in range(0, len(whole), contract.memory_for(1, 7)):
        put('sessions/' + ANNA, whole[:size])
        assert await store.load(ANNA) is None, size
        assert await store.list_user('anna') == [] and await store.delete_user('anna') == 0
    await store.delete(ANNA)
    assert session_files() == []


async def test_S11_a_file_under_another_id_is_no_session():
    store = folder()
    await new(store, ANNA, user='anna')
    await new(store, BERT, user='bert')
    anna, bert = held('sessions/' + ANNA), held('sessions/' + BERT)
    put('sessions/' + ANNA, bert)
    put('sessions/' + BERT, anna)
    assert await store.load(ANNA) is None and await store.load(BERT) is None
    assert await store.list_user('anna') == [] and await store.list_user('bert') == []


async def test_S11_json_that_is_no_record_is_no_session():
    store = folder()
    for text in (b'[]', b'null', b'1', b'"text"', b'true', b'{', b'', b'{"exp":1,"exp":9999999999}', b'{"exp":1e99}',
                 b'\xff', b'{}', b'[' * 5000):
        put('sessions/' + ANNA, stores._sealed(ANNA, text))
        assert await store.load(ANNA) is None, text
        put('sessions/' + ANNA, text)
        assert await store.load(ANNA) is None, text
        assert await store.list_user('anna') == [] and await store.delete_user('anna') == 0


async def test_S11_a_damaged_file_makes_room_before_any_session():
    store = folder(3)
    first = await new(store, seen=0)
    put('sessions/' + ANNA, b'damaged')
    put('sessions/' + BERT, held('sessions/' + first))
    last = await new(store)
    assert session_files() == sorted([first, last])


# --- a medium that fails ------------------------------------------------------------------------------

async def test_S11_what_cannot_be_read_is_an_error_and_no_absence():
    store = folder(2)
    os.mkdir('sessions/' + ANNA)
    put('sessions/' + ANNA + '/x', b'littlefs removes empty folders as it does files')
    try:
        for awaitable in (store.load(ANNA), store.save(ANNA, record()), store.save(ANNA, record(), new=True),
                          store.list_user('anna'), store.delete(ANNA)):
            assert isinstance(await error_of(awaitable), OSError)
    finally:
        remove('sessions/' + ANNA)


async def test_S6_one_file_that_fails_keeps_no_other_session_of_the_user_alive():
    store = folder()
    for session_id in await some(store, 5, user='anna'):
        os.mkdir('sessions/' + ANNA)
        try:
            error = await error_of(store.delete_user('anna'))
        finally:
            os.rmdir('sessions/' + ANNA)
        assert isinstance(error, OSError)
        assert await store.load(session_id) is None
    assert await store.delete_user('anna') == 0


async def cut_everywhere(change, judge, fat=False, dead=True):
    """Make ``change(store)`` with a disk that fails at its first step, its second, and so on until it completes.

    Before and after it is told to a fresh store what was there: ``judge(store, completed)``.
    """
    step = 0
    while True:
        step += 1
        store = folder(4)
        await new(store, ANNA, user='Anna', seen=START - 9, data={'n': 'old'})
        await new(store, BERT, user='Bert', seen=START - 5, data={'n': 'old'})
        with StoreDisk(fail_at=step, dead=dead, fat=fat) as disk:
            error = await error_of(change(store))
        assert error is None or isinstance(error, OSError), (step, error)
        for again in (store, FileStore('sessions', 4)):
            await judge(again, error is None, (step, fat, dead, os.listdir('sessions')))
        for name in session_files():
            assert is_session_id(name), (step, fat, dead, session_files())
        # And it goes on working.
        with StoreDisk(fat=fat):
            again = FileStore('sessions', 4)
            assert await again.save(BERT, record('Bert', data={'n': 'newer'})) is True
            await new(again, user='else')
            await again.delete(ANNA)
        assert (await again.load(BERT))['data'] == {'n': 'newer'} and await again.load(ANNA) is None
        if disk.steps < step:
            assert step > 1 and error is None
            return step - 1


async def in_every_way(what, change, judge):
    cuts = 0
    with FakeClock():
        for fat in (False, True):
            for dead in (True, False):
                cuts += await cut_everywhere(change, judge, fat, dead)
    print('figure: %s in a folder, cut or failed at every step: %d cuts, old or new after each' % (what, cuts))


async def untouched(store, where):
    bert = await store.load(BERT)
    assert bert is not None and bert['user'] == 'Bert' and bert['data'] == {'n': 'old'}, where


async def test_H4_a_cut_at_any_step_of_a_save_leaves_the_old_or_the_new():
    async def change(store):
        assert await store.save(ANNA, record('Anna', data={'n': 'new'})) is True

    async def judge(store, done, where):
        anna = await store.load(ANNA)
        assert anna is not None and anna['user'] == 'Anna', where
        assert anna['data'] == {'n': 'new'} or (not done and anna['data'] == {'n': 'old'}), where
        await untouched(store, where)
    await in_every_way('a save', change, judge)


async def test_H4_a_cut_at_any_step_of_a_new_session_leaves_none_or_all_of_it():
    session_id = random_id()

    async def change(store):
        assert await store.save(session_id, record('carl'), new=True) is True

    async def judge(store, done, where):
        carl = await store.load(session_id)
        assert (carl is None and not done) or carl['user'] == 'carl', where
        assert len(await store.list_user('Anna')) == 1, where
        await untouched(store, where)
    await in_every_way('a new session', change, judge)


async def test_H4_a_cut_at_any_step_of_a_logout_leaves_the_session_or_none():
    async def change(store):
        await store.delete(ANNA)

    async def judge(store, done, where):
        anna = await store.load(ANNA)
        assert anna is None or (not done and anna['data'] == {'n': 'old'}), where
        await untouched(store, where)
    await in_every_way('a logout', change, judge)


async def test_H4_a_cut_at_any_step_of_a_logout_never_leaves_an_older_record():
    with FakeClock():
        older = stores._sealed(ANNA, stores.strictjson.dumps(record('Anna', data={'n': 'older'})))

    async def change(store):
        put('sessions/' + ANNA + '.old', older)
        await store.delete(ANNA)

    async def judge(store, done, where):
        anna = await store.load(ANNA)
        assert anna is None or (not done and anna['data'] == {'n': 'old'}), where
    await in_every_way('a second logout', change, judge)


async def test_H4_a_cut_at_any_step_of_ending_all_leaves_no_half_a_session():
    async def change(store):
        assert await store.delete_user('Anna') == 1

    async def judge(store, done, where):
        left = await store.list_user('Anna')
        assert left == [] or (not done and [name for name, _ in left] == [ANNA]), where
        await untouched(store, where)
    await in_every_way('ending all sessions of a user', change, judge)


async def test_H4_a_cut_while_room_is_made_loses_no_other_session():
    session_id = random_id()

    async def change(store):
        store.max_sessions = 2
        assert await store.save(session_id, record('carl'), new=True) is True

    async def judge(store, done, where):
        carl, anna = await store.load(session_id), await store.load(ANNA)
        assert (carl is None and not done) or carl['user'] == 'carl', where
        assert anna is None or (not done and anna['data'] == {'n': 'old'}), where
        await untouched(store, where)
    await in_every_way('making room', change, judge)


async def test_H4_an_old_file_alone_is_the_session_and_is_put_back_at_the_start():
    store = folder()
    await new(store, ANNA, user='anna')
    os.rename('sessions/' + ANNA, 'sessions/' + ANNA + '.old')
    assert (await store.load(ANNA))['user'] == 'anna'
    assert await listed(store, 'anna') == [ANNA]
    again = FileStore('sessions')
    assert session_files() == [ANNA]
    assert (await again.load(ANNA))['user'] == 'anna'


async def test_H4_an_old_file_never_brings_an_ended_session_back():
    for _ in range(2):
        for leftovers in (('',), ('.old',), ('', '.old'), ('.old', ''), ('', '.old', '.new')):
            store = folder()
            await new(store, ANNA, user='anna')
            data = held('sessions/' + ANNA)
            os.remove('sessions/' + ANNA)
            for end in leftovers:
                put('sessions/' + ANNA + end, data)
            assert await store.load(ANNA) is not None
            await store.delete(ANNA)
            assert await store.load(ANNA) is None
            assert await store.save(ANNA, record('anna')) is False
            assert await FileStore('sessions').load(ANNA) is None
            assert session_files() == []


async def test_H4_leftovers_are_cleared_at_the_start_and_are_no_sessions():
    store = folder(4)
    await new(store, ANNA, user='anna')
    data = held('sessions/' + ANNA)
    for name in (ANNA + '.old', ANNA + '.new', BERT + '.new', BERT + '.0123456789ab.new'):
        put('sessions/' + name, data)
    assert await store.load(BERT) is None
    assert len(await store.list_user('anna')) == 1
    again = FileStore('sessions', 4)
    assert session_files() == [ANNA]
    assert (await again.load(ANNA))['user'] == 'anna' and await again.load(BERT) is None


async def test_H4_a_medium_that_can_only_be_read_is_read():
    store = folder()
    await new(store, ANNA, user='anna')
    await new(store, BERT, user='bert')
    os.rename('sessions/' + ANNA, 'sessions/' + ANNA + '.old')
    put('sessions/' + BERT + '.new', b'half')
    with StoreDisk(fail_at=1):
        store = FileStore('sessions')
        assert (await store.load(ANNA))['user'] == 'anna' and (await store.load(BERT))['user'] == 'bert'
        for awaitable in (store.save(ANNA, record('anna')), store.delete(ANNA), store.delete_user('bert'),
                          store.save(random_id(), record('carl'), new=True)):
            assert isinstance(await error_of(awaitable), Cut)
        assert (await store.load(ANNA))['user'] == 'anna' and (await store.load(BERT))['user'] == 'bert'


async def test_H4_sessions_that_could_not_be_written_leave_nothing_behind():
    store = folder()
    for step in range(1, 5):
        for _ in range(10):
            with StoreDisk(fail_at=step, dead=False):
                await error_of(store.save(random_id(), record('anna', ttl=60), new=True))
        for name in session_files():
            assert is_session_id(name), (step, session_files())
    assert exists('sessions')


async def test_S11_a_board_that_lost_the_time_keeps_its_sessions_through_new_ones():
    with FakeClock() as clock:
        store = folder(8)
        kept = await some(store, 4, user='anna')
        clock.set(UNSET)
        store = FileStore('sessions', 8)
        early = await some(store, 4, user='anna')
        clock.set(START + 5)
        assert sorted(await alive(store, kept + early)) == sorted(kept + early)

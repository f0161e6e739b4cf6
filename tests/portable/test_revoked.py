"""An ended token stays ended until it would have ended by itself, in a list that does not grow."""
import os

from clock import START, UNSET, FakeClock
from disk import Disk, put

from dotlatch.revoked import Revoked

YEARS_30 = 30 * 365 * 86400


def test_S3_an_ended_token_is_known_and_others_are_not():
    revoked = Revoked()
    with FakeClock():
        revoked.add('a', START + 60)
        assert revoked.has('a', START + 60)
        assert not revoked.has('b', START + 60)


def test_S3_more_logouts_than_places_bring_none_back():
    revoked = Revoked(limit=4)
    with FakeClock():
        ended = [('id%d' % i, START + 1000 + i * 7 % 50) for i in range(50)]
        for token_id, end in ended:
            revoked.add(token_id, end)
        for token_id, end in ended:
            assert revoked.has(token_id, end), token_id


def test_tokens_that_end_later_than_all_ended_ones_are_not_ended_by_a_full_list():
    revoked = Revoked(limit=4)
    with FakeClock():
        for i in range(50):
            revoked.add('id%d' % i, START + 1000 + i)
        assert not revoked.has('new', START + 5000)


def test_the_list_has_a_bound():
    revoked = Revoked(limit=8)
    with FakeClock() as clock:
        for i in range(200):
            clock.advance(1)
            revoked.add('id%d' % i, START + 100000 + i)
            revoked.add('up%d' % i, 100000 + i, True)
        assert held(revoked) <= 2 * 8


def held(revoked):
    """How many ids an object keeps, wherever it does."""
    count = 0
    for value in revoked.__dict__.values():
        for table in value if isinstance(value, (list, tuple)) else [value]:
            count += len(table) if isinstance(table, (dict, set, list)) else 0
    return count


def test_places_of_tokens_that_ended_by_themselves_are_used_again():
    revoked = Revoked(limit=2)
    with FakeClock() as clock:
        revoked.add('a', START + 10)
        revoked.add('b', START + 10)
        clock.advance(20)
        revoked.add('c', START + 500)
        revoked.add('d', START + 600)
        assert not revoked.has('e', START + 100)
        assert revoked.has('c', START + 500) and revoked.has('d', START + 600)


def test_the_two_clocks_do_not_mix():
    revoked = Revoked(limit=2)
    with FakeClock():
        for i in range(9):
            revoked.add('up%d' % i, 5000 + i, True)
        assert not revoked.has('a', START + 60)
        assert not revoked.has('up0', START + 60)
        for i in range(9):
            revoked.add('wall%d' % i, START + 60 + i)
        assert not revoked.has('b', 90000, True)


def test_L5_stepping_the_clock_by_30_years_brings_no_ended_token_back():
    revoked = Revoked(limit=3)
    ended = [('a', START + 60), ('b', START + 70), ('c', START + 80)]
    with FakeClock() as clock:
        for token_id, end in ended:
            revoked.add(token_id, end)
        for step in (YEARS_30, -YEARS_30):
            clock.set(START + step)
            for i in range(6):
                revoked.add('during%d' % i, START + 50 + i)
            clock.set(START)
            for token_id, end in ended:
                assert revoked.has(token_id, end), (step, token_id)


def test_L5_tokens_are_ended_while_the_clock_is_not_set_too():
    revoked = Revoked(limit=2)
    with FakeClock(time=UNSET) as clock:
        ended = [('id%d' % i, 600 + i) for i in range(5)]
        for token_id, end in ended:
            revoked.add(token_id, end, True)
            clock.advance(1)
        for token_id, end in ended:
            assert revoked.has(token_id, end, True), token_id


def test_ending_a_token_twice_is_no_error_and_takes_no_second_place():
    revoked = Revoked(limit=2)
    with FakeClock():
        for _ in range(5):
            revoked.add('a', START + 60)
        revoked.add('b', START + 90)
        assert revoked.has('a', START + 60) and revoked.has('b', START + 90)
        assert not revoked.has('c', START + 61)


def test_a_list_without_room_is_refused_at_once_or_still_ends_tokens():
    with FakeClock():
        try:
            revoked = Revoked(limit=0)
        except ValueError:
            return
        revoked.add('a', START + 60)
        assert revoked.has('a', START + 60)


# --- kept in a file -------------------------------------------------------------------------------------

def kept(name):
    """A list in a file that is not there yet."""
    for leftover in os.listdir('.'):
        os.remove(leftover)
    return Revoked(limit=4, path=name)


def test_S3_what_was_ended_stays_ended_over_a_restart():
    with FakeClock():
        revoked = kept('r.json')
        for number in range(6):  # more than fit: the first two leave a floor
            revoked.add('t%d' % number, START + 60 + number)
        again = Revoked(limit=4, path='r.json')
        for number in range(6):
            assert again.has('t%d' % number, START + 60 + number), number
        assert again.has('never seen', START + 61) and not again.has('never seen', START + 62)


def test_tokens_of_this_boot_are_not_written():
    with FakeClock(UNSET):
        revoked = kept('r.json')
        revoked.add('a', 60, True)
        assert os.listdir('.') == [] and revoked.has('a', 60, True)


def test_S11_a_full_disk_ends_the_token_all_the_same():
    with FakeClock():
        revoked = kept('r.json')
        revoked.add('a', START + 60)
        for step in range(1, 4):
            with Disk(fail_at=step, dead=False):
                try:
                    revoked.add('b%d' % step, START + 60)
                except OSError:
                    pass
            assert revoked.has('b%d' % step, START + 60), step
        assert Revoked(path='r.json').has('a', START + 60)


def test_S11_a_corrupt_list_is_a_value_error_and_is_left_as_it_is():
    with FakeClock():
        for text in (b'', b'{', b'[]', b'{}', b'{"format":1,"ends":[],"floor":0}', b'{"format":2,"ends":{},"floor":0}',
                     b'{"format":1,"ends":{"a":"1"},"floor":0}', b'{"format":1,"ends":{},"floor":null}'):
            put('r.json', text)
            try:
                Revoked(path='r.json')
                raise AssertionError(text)
            except ValueError as error:
                assert 'r.json' in str(error), error
            with open('r.json', 'rb') as file:
                assert file.read() == text


def test_H4_the_file_is_written_once_for_each_token():
    with FakeClock():
        revoked = kept('r.json')
        with Disk() as disk:
            revoked.add('a', START + 60)
            once = disk.steps
            for _ in range(20):
                revoked.has('a', START + 60)
        assert 0 < once == disk.steps

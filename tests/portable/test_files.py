"""A power cut or a full disk leaves the old file or the new one, and nobody loads half of either."""
import os

from disk import Cut, Disk, exists, held, put, remove

from dotlatch import files


def fresh():
    """No file of an earlier test."""
    for name in os.listdir('.'):
        os.remove(name)


def count_steps(fat):
    fresh()
    put('f', b'old')
    with Disk(fat=fat) as disk:
        files.replace('f', b'new')
    assert held('f') == b'new'
    return disk.steps


def test_a_file_is_replaced_and_nothing_else_is_left_behind():
    fresh()
    files.replace('f', b'one')
    files.replace('f', b'')
    assert files.read('f') == b''
    files.replace('f', bytes(range(256)) * 40)
    assert files.read('f') == bytes(range(256)) * 40
    assert os.listdir('.') == ['f']


def test_a_file_that_is_not_there_reads_as_none():
    fresh()
    assert files.read('f') is None
    assert files.read('no/such/folder') is None
    assert os.listdir('.') == []


def test_H4_a_power_cut_at_any_step_leaves_the_old_or_the_new():
    for fat in (False, True):
        for step in range(1, count_steps(fat) + 1):
            fresh()
            put('f', b'the old one')
            try:
                with Disk(fail_at=step, fat=fat):
                    files.replace('f', b'the new, longer one')
            except OSError:
                pass
            assert files.read('f') in (b'the old one', b'the new, longer one'), (fat, step, files.read('f'))


def test_H4_after_a_power_cut_at_any_step_the_file_can_be_written_again():
    for fat in (False, True):
        for step in range(1, count_steps(fat) + 1):
            fresh()
            put('f', b'the old one')
            try:
                with Disk(fail_at=step, fat=fat):
                    files.replace('f', b'the new one')
            except OSError:
                pass
            with Disk(fat=fat):
                files.replace('f', b'a third one')
            assert files.read('f') == b'a third one', (fat, step)


def test_H4_a_power_cut_while_the_first_file_is_written_leaves_none_or_all_of_it():
    for step in range(1, count_steps(False) + 1):
        fresh()
        try:
            with Disk(fail_at=step):
                files.replace('f', b'the first one')
        except OSError:
            pass
        assert files.read('f') in (None, b'the first one'), (step, files.read('f'))


def test_H4_a_power_cut_never_leaves_half_a_signing_key():
    for step in range(1, count_steps(False) + 1):
        fresh()
        try:
            with Disk(fail_at=step):
                files.load_or_create('secret.key')
        except OSError:
            pass
        assert len(files.load_or_create('secret.key')) == 43, (step, files.load_or_create('secret.key'))


def test_H4_what_could_not_be_written_leaves_the_old_file():
    for fat in (False, True):
        for step in range(1, count_steps(fat) + 1):
            fresh()
            put('f', b'the old one')
            try:
                with Disk(fail_at=step, dead=False, fat=fat):
                    files.replace('f', b'the new one')
            except OSError:
                assert files.read('f') == b'the old one', (fat, step, os.listdir('.'))
            else:
                assert files.read('f') == b'the new one', (fat, step, os.listdir('.'))


def test_H4_a_rename_that_never_works_leaves_the_old_file_where_it_was():
    fresh()
    put('f', b'the old one')
    try:
        with Disk(no_rename=True):
            files.replace('f', b'the new one')
        raise AssertionError('no error for a file that was not written')
    except Cut:
        pass
    assert held('f') == b'the old one', os.listdir('.')


def test_a_key_is_made_once_and_kept():
    fresh()
    key = files.load_or_create('k')
    assert len(key) == 43
    assert files.load_or_create('k') == key
    remove('k')
    assert files.load_or_create('k') != key


def test_what_is_made_first_comes_from_the_function_that_was_given():
    fresh()
    assert files.load_or_create('f', lambda: b'made') == b'made'
    assert files.load_or_create('f', lambda: b'not again') == b'made'


def test_S1_made_keys_are_never_the_same():
    fresh()
    keys = set()
    for number in range(50):
        keys.add(files.load_or_create('k%d' % number))
    assert len(keys) == 50


def test_a_file_that_cannot_be_read_is_an_error_and_no_absence():
    fresh()
    os.mkdir('d')
    try:
        data = files.read('d')
        raise AssertionError('a folder was read as ' + repr(data))
    except OSError:
        pass
    finally:
        os.rmdir('d')
    assert not exists('d')

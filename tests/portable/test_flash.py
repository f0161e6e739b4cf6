"""A power cut at every single write of the flash: sessions and users are the old ones or the new ones, never neither.

MicroPython has littlefs, so there the cut comes at each write of a block device in memory, between two writes of one
rename or in the middle of a write. Where there is no littlefs, it comes at each step that changes a folder.
"""
import os

import stores_contract as contract
from clock import START, FakeClock
from disk import Disk, _System, put
from stores_contract import error_of, record

from dotlatch import copies, files, passwords, stores
from dotlatch.portable import random_id
from dotlatch.stores import FileStore, is_session_id
from dotlatch.users import FileUsers

try:
    import vfs
except ImportError:
    vfs = None

BLOCK = 256
BLOCKS = 48
SECTOR = 512
SECTORS = 96
ANNA = 'AnnaAnnaAnnaAnnaAnna_A'
BERT = 'BertBertBertBertBert-A'
CARL = 'CarlCarlCarlCarlCarl_w'
OLD, NEW = 'correct horse battery staple', 'another horse battery staple'

# How a write goes wrong, and all that follow it: nothing of it is done and the program hears of it; half of it is done;
# nothing is done and nobody hears of it, as in the last milliseconds of a program whose supply falls.
REFUSED, TORN, LOST = 'refused', 'torn', 'lost'


class Chip:
    """Flash in memory, as a block device: bits are cleared by a write and set by erasing a block."""
    def __init__(self, content, fail_at=0, how=REFUSED):
        self.content = content
        self.fail_at = fail_at
        self.how = how
        self.writes = 0
        self.off = False  # then files that were not closed are, by the garbage collector, in the middle of another test

    def _share(self, size):
        """How much of a write of ``size`` bytes is done."""
        self.writes += 1
        if not self.fail_at or self.writes < self.fail_at:
            return size
        return size // 2 if self.how == TORN and self.writes == self.fail_at else 0

    def _answer(self, done, size):
        return 0 if done == size or self.how == LOST else -5  # EIO

    def readblocks(self, block, buffer, offset=0):
        if self.off:
            return -5
        start = block * BLOCK + offset
        buffer[:] = memoryview(self.content)[start:start + len(buffer)]
        return 0

    def writeblocks(self, block, buffer, offset=0):
        if self.off:
            return -5
        start = block * BLOCK + offset
        done = self._share(len(buffer))
        for i in range(done):
            self.content[start + i] &= buffer[i]
        return self._answer(done, len(buffer))

    def ioctl(self, operation, argument):
        if operation == 4:
            return len(self.content) // BLOCK
        if operation == 5:
            return BLOCK
        if operation == 6:
            if self.off:
                return -5
            done = self._share(BLOCK)
            start = argument * BLOCK
            self.content[start:start + done] = b'\xff' * done
            return self._answer(done, BLOCK)
        return 0


class Flash:
    """A file system that can be mounted with a fault, and again after a power cut. Files are in ``path``."""
    name = 'littlefs'
    path = '/chip'
    ways = (REFUSED, TORN, LOST)

    def __init__(self):
        self._content = bytearray(b'\xff' * (BLOCK * BLOCKS))
        vfs.VfsLfs2.mkfs(Chip(self._content))
        self._image = None

    def keep(self):
        """Come back to what is there now with each :meth:`again`."""
        self._image = bytes(self._content)

    def again(self):
        self._content[:] = self._image

    def mounted(self, fail_at=0, how=REFUSED):
        self._chip = Chip(self._content, fail_at, how)
        return self

    def __enter__(self):
        vfs.mount(vfs.VfsLfs2(self._chip), self.path)
        return self

    def __exit__(self, *error):
        self._chip.off = True
        vfs.umount(self.path)

    @property
    def writes(self):
        return self._chip.writes


class Sectors(Chip):
    """What FAT is used on: each write replaces a sector."""
    def writeblocks(self, block, buffer):
        if self.off:
            return -5
        start = block * SECTOR
        done = self._share(len(buffer))
        self.content[start:start + done] = memoryview(buffer)[:done]
        return self._answer(done, len(buffer))

    def readblocks(self, block, buffer):
        if self.off:
            return -5
        start = block * SECTOR
        buffer[:] = memoryview(self.content)[start:start + len(buffer)]
        return 0

    def ioctl(self, operation, argument):
        return {4: len(self.content) // SECTOR, 5: SECTOR}.get(operation, 0)


class Fat(Flash):
    """The file system of a Pico or ESP32 whose flash is shared with a computer, or of a card."""
    name = 'FAT'

    def __init__(self):
        self._content = bytearray(SECTOR * SECTORS)
        vfs.VfsFat.mkfs(Sectors(self._content))
        self._image = None

    def mounted(self, fail_at=0, how=REFUSED):
        self._chip = Sectors(self._content, fail_at, how)
        return self

    def __enter__(self):
        vfs.mount(vfs.VfsFat(self._chip), self.path)
        return self


class StoreDisk(Disk):
    """A folder's steps, with those of the store itself."""
    def __enter__(self):
        super().__enter__()
        stores.os = _System(self)
        return self

    def __exit__(self, *error):
        stores.os = os
        super().__exit__(*error)


class Folder:
    """What stands in for :class:`Flash` where there is no littlefs."""
    name = 'a folder'
    path = 'chip'
    ways = (REFUSED,)
    fat = False

    def __init__(self):
        self._empty(self.path)
        self._image = {}
        self._disk = None

    def _empty(self, path):
        try:
            names = os.listdir(path)
        except OSError:
            os.mkdir(path)
            return
        for name in names:
            try:
                os.remove(path + '/' + name)
            except OSError:
                self._empty(path + '/' + name)
                os.rmdir(path + '/' + name)

    def keep(self):
        self._image = {}
        for folder in ('', '/sessions'):
            for name in os.listdir(self.path + folder):
                try:
                    with open(self.path + folder + '/' + name, 'rb') as file:
                        self._image[folder + '/' + name] = file.read()
                except OSError:  # the folder
                    pass

    def again(self):
        self._empty(self.path)
        os.mkdir(self.path + '/sessions')
        for name in self._image:
            with open(self.path + name, 'wb') as file:
                file.write(self._image[name])

    def mounted(self, fail_at=0, how=REFUSED):
        self._disk = StoreDisk(fail_at, fat=self.fat)
        return self

    def __enter__(self):
        self._disk.__enter__()
        return self

    def __exit__(self, *error):
        self._disk.__exit__(*error)

    @property
    def writes(self):
        return self._disk.steps


class FatFolder(Folder):
    """A folder whose files cannot be renamed onto each other."""
    name = 'a folder like FAT'
    fat = True


Medium = Flash if hasattr(vfs, 'VfsLfs2') else Folder
FatMedium = Fat if hasattr(vfs, 'VfsFat') else FatFolder
SESSIONS = Medium.path + '/sessions'
USERS = Medium.path + '/users.json'


class Cheap:
    """Hashes that cost little, and a clock that stands."""
    def __enter__(self):
        self._kept = passwords.ITERATIONS
        passwords.ITERATIONS = 2
        self._clock = FakeClock()
        self._clock.__enter__()

    def __exit__(self, *error):
        self._clock.__exit__()
        passwords.ITERATIONS = self._kept


async def prepared(kind):
    """A medium with two sessions and two users, to which :meth:`again` comes back."""
    medium = kind()
    with medium.mounted():
        store = FileStore(SESSIONS)
        for session_id in (ANNA, BERT):
            await store.save(session_id, record(session_id[:4], seen=START - 9, data={'n': 'old' * 20}), new=True)
        users = FileUsers(USERS)
        for name in ('anna', 'bert'):
            await users.create(name, OLD)
    medium.keep()
    return medium


async def cut_everywhere(what, change, judge, kind=Medium):
    """Cut the power at the first write of ``change()``, at the second, and so on until it completes.

    Then ``judge(completed, where)`` looks at the medium with fresh objects, and it must go on working.
    """
    with Cheap():
        medium = await prepared(kind)
        cuts = 0
        for how in medium.ways:
            number = 0
            while True:
                number += 1
                medium.again()
                with medium.mounted(number, how):
                    error = await error_of(change())
                    writes = medium.writes
                completed = writes < number
                assert error is None if completed else error is None or isinstance(error, OSError), (how, number, error)
                with medium.mounted():
                    await judge(completed, (how, number))
                    await goes_on((how, number))
                with medium.mounted():
                    assert (await FileStore(SESSIONS).load(BERT))['data'] == {'n': 'newer'}, (how, number)
                    assert FileUsers(USERS).get_by_name('dora') is not None, (how, number)
                if completed:
                    break
            assert number > 1
            cuts += number - 1
    print('figure: %s on %s, of %d writes: %d cuts, each write %s: old or new after each'
          % (what, kind.name, writes, cuts, ', '.join(medium.ways)))


async def goes_on(where):
    store = FileStore(SESSIONS)
    for name in os.listdir(SESSIONS):
        assert is_session_id(name) or name == '.lock', (where, name)
    assert await store.save(BERT, record('Bert', data={'n': 'newer'})) is True, where
    dora = random_id()
    assert await store.save(dora, record('dora'), new=True) is True, where
    assert (await store.load(dora))['user'] == 'dora', where
    await store.delete(dora)
    assert await store.load(dora) is None, where
    users = FileUsers(USERS)
    await users.create('dora', NEW)
    assert await users.authenticate('bert', OLD) is not None, where


async def session(session_id, where, *states):
    """The session is in one of the states: None, or its data."""
    kept = await FileStore(SESSIONS).load(session_id)
    if kept is None:
        assert None in states, (where, session_id)
    else:
        assert kept['user'] == session_id[:4] and kept['data']['n'] in states, (where, kept)


async def test_H4_S11_a_power_cut_at_any_write_of_a_session_leaves_the_old_or_the_new():
    async def change():
        assert await FileStore(SESSIONS).save(ANNA, record('Anna', data={'n': 'new'})) is True

    async def judge(completed, where):
        await session(ANNA, where, 'new', 'new' if completed else 'old' * 20)
        await session(BERT, where, 'old' * 20)
    await cut_everywhere('a saved session', change, judge)


async def test_H4_S11_a_power_cut_at_any_write_of_a_new_session_leaves_none_or_all_of_it():
    async def change():
        assert await FileStore(SESSIONS).save(CARL, record('Carl', data={'n': 'new' * 40}), new=True) is True

    async def judge(completed, where):
        await session(CARL, where, 'new' * 40, 'new' * 40 if completed else None)
        await session(ANNA, where, 'old' * 20)
        await session(BERT, where, 'old' * 20)
    await cut_everywhere('a new session', change, judge)


async def test_H4_S3_a_power_cut_at_any_write_of_a_logout_leaves_the_session_or_none():
    async def change():
        await FileStore(SESSIONS).delete(ANNA)

    async def judge(completed, where):
        await session(ANNA, where, None, None if completed else 'old' * 20)
        await session(BERT, where, 'old' * 20)
    await cut_everywhere('a logout', change, judge)


async def test_H4_S11_a_power_cut_while_a_session_makes_room_for_another_loses_no_third():
    async def change():
        store = FileStore(SESSIONS, max_sessions=2)
        await store.delete_user('nobody')
        used = await store.load(BERT)
        used['seen'] = START
        assert await store.save(BERT, used) is True
        assert await store.save(CARL, record('Carl', data={'n': 'new'}), new=True) is True

    async def judge(completed, where):
        await session(CARL, where, 'new', 'new' if completed else None)
        await session(ANNA, where, None, None if completed else 'old' * 20)
        await session(BERT, where, 'old' * 20)
    await cut_everywhere('a session that makes room for another', change, judge)


# --- users ------------------------------------------------------------------------------------------

async def others_are_there(users, *names):
    for name in names:
        assert await users.authenticate(name, OLD) is not None, name


async def new_password():
    users = FileUsers(USERS)
    await users.set_password(users.get_by_name('anna'), NEW)


async def old_or_new_password(completed, where):
    users = FileUsers(USERS)
    assert len(users) == 2, where
    opened = [await users.authenticate('anna', OLD), await users.authenticate('anna', NEW)]
    assert opened.count(None) == 1, (where, opened)
    assert opened[1] is not None or not completed, where
    await others_are_there(users, 'bert')


async def new_user():
    await FileUsers(USERS).create('carl', NEW)


async def none_or_all_of_the_new_user(completed, where):
    users = FileUsers(USERS)
    carl = await users.authenticate('carl', NEW)
    assert (carl is None) == (users.get_by_name('carl') is None) and (carl is not None or not completed), where
    await others_are_there(users, 'anna', 'bert')


async def rename():
    users = FileUsers(USERS)
    users.rename(users.get_by_name('anna'), 'Anna-Lena')


async def old_or_new_name(completed, where):
    users = FileUsers(USERS)
    assert len(users) == 2, where
    named = [await users.authenticate('anna', OLD), await users.authenticate('anna-lena', OLD)]
    assert named.count(None) == 1 and (named[1] is not None or not completed), (where, named)
    await others_are_there(users, 'bert')


async def disable_and_scopes():
    users = FileUsers(USERS)
    users.set_scopes(users.get_by_name('anna'), ['admin'])
    users.disable(users.get_by_name('anna'))


async def no_step_left_out(completed, where):
    users = FileUsers(USERS)
    anna = users.get_by_name('anna')
    state = (anna.scopes, anna.is_active, anna.session_version)
    assert state in (([], True, 0), (['admin'], True, 0), (['admin'], False, 1)), (where, state)
    assert state[1] is False or not completed, where
    await others_are_there(users, 'bert')


async def remove_user():
    users = FileUsers(USERS)
    users.remove(users.get_by_name('anna'))


async def there_or_gone(completed, where):
    users = FileUsers(USERS)
    anna = await users.authenticate('anna', OLD)
    assert len(users) == (1 if anna is None else 2) and (anna is None or not completed), where
    await others_are_there(users, 'bert')


CHANGES = (('a new password', new_password, old_or_new_password),
           ('a new user', new_user, none_or_all_of_the_new_user),
           ('a new name', rename, old_or_new_name),
           ('scopes, and a disabled user', disable_and_scopes, no_step_left_out),
           ('a removed user', remove_user, there_or_gone))


async def test_H4_a_power_cut_at_any_write_of_a_change_of_users_leaves_the_old_or_the_new():
    for what, change, judge in CHANGES:
        await cut_everywhere(what, change, judge)


async def test_H4_a_power_cut_at_any_write_of_a_change_of_users_on_fat_leaves_the_old_or_the_new():
    for what, change, judge in CHANGES:
        await cut_everywhere(what, change, judge, FatMedium)


async def test_H4_after_a_power_cut_at_any_write_one_damaged_file_loses_no_user():
    """Cut, then damage: what is left of the pair is the old or the new one too."""
    async def judge(completed, where):
        for end in ('', copies.COPY):
            name = USERS + end
            kept = files.read(name)
            put(name, b'damaged')
            users = FileUsers(USERS)
            assert len(users) == 2, (where, end)
            opened = [await users.authenticate('anna', OLD), await users.authenticate('anna', NEW)]
            assert opened.count(None) == 1, (where, end)
            await others_are_there(users, 'bert')
            put(name, kept)
    await cut_everywhere('a new password, and then one damaged file', new_password, judge)


async def test_H4_a_thousand_reads_write_nothing_and_a_save_few_blocks():
    with Cheap():
        medium = await prepared(Medium)
        with medium.mounted():
            store = FileStore(SESSIONS)
            users = FileUsers(USERS)
            for _ in range(contract.memory_for(1000, 100)):
                assert await store.load(ANNA) is not None
                assert await store.load(CARL) is None
                assert users.get_by_name('anna') is not None
            assert medium.writes == 0
            for number in range(100):
                assert await store.save(ANNA, record('Anna', data={'n': number})) is True
            assert 0 < medium.writes <= 100 * 12, medium.writes

"""Brings files to a board: only those that differ, and none by halves.

::

    prepare(board)
    change = Change.between(board, wanted, owned=('/lib/dotlatch',))
    change.copied, change.removed          # paths
    change.carry_out(board, room, block, record='/lib/dotlatch/deployed.json')

Each file goes to a name of its own first. Once all have come through, the board gives them their names in one go: who
pulls the cable before has changed nothing, and who pulls it in that moment has old files and new ones, all of them
whole. The next time goes on from there.
"""
import binascii
import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from posixpath import dirname, join

from .connection import Board, BoardTrouble, RemoteError

NEW = '.new'         # the end of the name of a file that has not got its own yet
_PIECE = 1024        # bytes at a time: more is not faster, and takes heap
_BATCH = 16          # paths at a time
_MODULES = ('.py', '.mpy', '/messages')  # what they are known by, and what they say
_NO_SPACE = ('OSError: 28', 'ENOSPC')
_MAKE_ROOM = 'Remove files that nobody needs, with `mpremote fs ls` and `mpremote fs rm`'

_REMOTE = '''
from binascii import a2b_base64, hexlify
from hashlib import sha256
def _files(folder):
    try:
        return {e[0]: -1 if e[1] & 0x4000 else e[3] for e in os.ilistdir(folder or '/')}
    except OSError:
        return {}
def _sum(path):
    h, b = sha256(), memoryview(bytearray(512))
    try:
        with open(path, 'rb') as file:
            while True:
                n = file.readinto(b)
                if not n:
                    return hexlify(h.digest()).decode()
                h.update(b[:n])
    except OSError:
        return None
def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass
def _rename(path):
    os.rename(path + '%s', path)
def _folder(path):
    try:
        os.mkdir(path)
    except OSError as error:
        if error.errno != 17:  # it is there
            raise
''' % NEW


def prepare(board: Board) -> None:
    """Teach a fresh board what the rest of this file asks of it."""
    board.run(_REMOTE)


@dataclass
class Change:
    """What is to be done on a board.

    :param wanted: {path: contents} of all files.
    :param copied: the paths of those that are not there yet.
    :param removed: the paths of what is not wanted any more.
    :param replaced: of those to copy, the paths where something else is.
    """
    wanted: 'Mapping[str, bytes]' = field(repr=False)  # programs have keys in them
    copied: 'list[str]'
    removed: 'list[str]'
    replaced: 'list[str]' = field(default_factory=list)
    _staged: 'list[str]' = field(default_factory=list)    # of copied: came through the last time
    _leftover: 'list[str]' = field(default_factory=list)  # came through in vain

    @classmethod
    def between(cls, board: Board, wanted: 'Mapping[str, bytes]', owned: 'Collection[str]' = (),
                stale: 'Collection[str]' = ()) -> 'Change':
        """Compare a board with what is wanted.

        :param owned: folders where no other module may stay.
        :param stale: paths in other folders that may not stay either.
        :raises BoardTrouble: when there is a folder where a file is wanted.
        """
        there: 'dict[str, int]' = {}
        for folder in sorted({*map(dirname, wanted), *owned}):
            for name, size in board.ask(f'_files({folder!r})').items():
                if size >= 0:
                    there[join(folder, name)] = size
                elif join(folder, name).removesuffix(NEW) in wanted:
                    raise BoardTrouble(f'{join(folder, name)} on the board is a folder, and it should become a file: '
                                       f'remove it with `mpremote rm -r :{join(folder, name)}`')
        possible = [path + end for path in wanted for end in ('', NEW)
                    if there.get(path + end) == len(wanted[path])]
        sums = sums_of(board, possible)
        same = {path for path in possible if sums[path] == checksum(wanted[path.removesuffix(NEW)])}
        copied = [path for path in wanted if path not in same]
        staged = [path for path in copied if path + NEW in same]
        leftover = [path for path in there if path.endswith(NEW) and path.removesuffix(NEW) not in staged
                    and (path.removesuffix(NEW) in wanted or dirname(path) in owned)]
        unwanted = [path for path in there if dirname(path) in owned and path.endswith(_MODULES) and path not in wanted]
        replaced = [path for path in copied if path in there]
        return cls(wanted, copied, sorted([*unwanted, *stale]), replaced, staged, leftover)

    def __bool__(self) -> bool:
        return bool(self.copied or self.removed or self._leftover)

    def carry_out(self, board: Board, room: int, block: int, record: 'str | None' = None,
                  progress: 'Callable[[int, int, str], None]' = lambda done, total, name: None) -> None:
        """Do it.

        :param room: bytes that are free in the board's flash, which gives files whole blocks.
        :param record: the path of a file that gets its name last: as long as it waits for it, the others may not be all
            of a kind.
        :param progress: is called with bytes that are done, bytes in all, and the path of a file.
        """
        again = [record] if record is not None and record not in self.copied else []
        copied = self.copied + again
        left = [path for path in copied if path not in self._staged]
        room += sum([block for _ in self._leftover])
        needed = sum([-len(self.wanted[path]) // block * -block for path in left])
        if needed > room:
            raise BoardTrouble(f'the flash of the board is full: this takes {needed // 1024} KB more, and '
                               f'{room // 1024} KB are free. {_MAKE_ROOM}')
        total = sum([len(self.wanted[path]) for path in copied])
        done = total - sum([len(self.wanted[path]) for path in left])
        path = ''
        try:
            _each(board, '_remove', [path for path in self._leftover if path != f'{record}{NEW}'])
            _each(board, '_folder', _folders(left))
            for path in left:
                for count in _send(board, path + NEW, self.wanted[path]):
                    done += count
                    progress(done, total, path)
        except RemoteError as error:
            if not any(sign in str(error) for sign in _NO_SPACE):
                raise BoardTrouble(f'the board cannot write {path or "its files"}, and nothing was changed: '
                                   f'{error.last_line}') from None
            _each(board, '_remove', [path + NEW for path in left])
            raise BoardTrouble(f'the flash of the board is full: nothing was changed. {_MAKE_ROOM}') from None
        self._check(board, copied)
        self._commit(board, copied, record)

    def _check(self, board: Board, copied: 'list[str]') -> None:
        sums = sums_of(board, [path + NEW for path in copied])
        for path in copied:
            if sums[path + NEW] != checksum(self.wanted[path]):
                raise BoardTrouble(f'{path} did not come through whole: nothing was changed. Run this again')

    def _commit(self, board: Board, copied: 'list[str]', record: 'str | None') -> None:
        _each(board, '_rename', [path for path in copied if path != record])
        _each(board, '_remove', self.removed)
        if record is not None:
            _each(board, '_rename', [record])


def _send(board: Board, path: str, contents: bytes) -> 'Iterator[int]':
    """Write a file, and yield how much has gone."""
    board.run(f'_f = open({path!r}, "wb")')
    try:
        for start in range(0, len(contents), _PIECE):
            piece = contents[start:start + _PIECE]
            board.run(f'_n = _f.write(a2b_base64({binascii.b2a_base64(piece, newline=False)!r}))')
            yield len(piece)
        board.run('_f.close()')
    except RemoteError:
        with contextlib.suppress(RemoteError):
            board.run('_f.close()')
        raise


def sums_of(board: Board, paths: 'list[str]') -> 'dict[str, str | None]':
    """Return {path: checksum} of files; None for what cannot be read."""
    sums: 'dict[str, str | None]' = {}
    for start in range(0, len(paths), _BATCH):
        batch = paths[start:start + _BATCH]
        sums.update(zip(batch, board.ask(f'[_sum(p) for p in {batch!r}]', timeout=60)))
    return sums


def checksum(contents: bytes) -> str:
    """Return what the board says of a file with these contents."""
    return sha256(contents).hexdigest()


def _each(board: Board, function: str, paths: 'Collection[str]') -> None:
    paths = list(paths)
    for start in range(0, len(paths), _BATCH):
        board.run(f'for _p in {paths[start:start + _BATCH]!r}: {function}(_p)', timeout=60)


def _folders(paths: 'Iterable[str]') -> 'list[str]':
    """Return the folders of these files, outer ones first."""
    found: 'set[str]' = set()
    for path in paths:
        folder = dirname(path)
        while folder.strip('/'):
            found.add(folder)
            folder = dirname(folder)
    return sorted(found)

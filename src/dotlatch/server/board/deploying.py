"""Puts dotlatch, Microdot and an app on a board, and sees that they load there.

::

    with Board.found(None) as board:
        plan = Plan.of(board, needs_of('greenhouse/main.py'))
        plan.copied                            # what is not there yet
        plan.foreign                           # what others have put where the app's files go
        plan.carry_out(progress=show)
        before, after = plan.try_out()         # bytes of heap that are free
"""
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from posixpath import join
from typing import Any

from ... import __version__
from .building import app_files, library_files, tool_for
from .connection import Board, BoardTrouble, RemoteError
from .copying import Change, checksum, prepare, sums_of
from .facts import RECORD, Facts, record_of, records_of, where
from .frozen import Frozen
from .needs import CHOSEN, FOLDER, Needs, all_modules, closure, loaded_with, microdot_folder

OLDEST = (1, 24)  # MicroPython
_SUM = 16  # characters of a checksum, which tell files apart
_LOAD = '''
_free = []
for _name in [''] + %r:
    if _name:
        __import__(_name)
    gc.collect()
    _free.append(gc.mem_free())
'''


class DoesNotLoad(BoardTrouble):
    """What was copied cannot be imported on the board; the text says why."""


@dataclass
class Plan:
    """What a board has and what it is to get.

    :param record: the path of our own file about what is there.
    :param frozen: dotlatch as part of the firmware, when it is: only the app is copied.
    :param foreign: paths of the app where the board has something that ``deploy`` has not put there, or not so.
    """
    board: Board
    facts: Facts
    needs: Needs
    change: Change
    record: str
    frozen: 'Frozen | None'
    foreign: 'list[str]' = field(default_factory=list)

    @classmethod
    def of(cls, board: Board, needs: Needs, as_source: bool = False) -> 'Plan':
        """Compile what is needed, and compare it with what is there. Nothing is changed yet.

        :param as_source: copy .py files as they are.
        :raises BoardTrouble: when what is copied could not be used there.
        """
        board.fresh()
        facts = Facts.of(board)
        if tuple(map(int, facts.release.split('.'))) < OLDEST:
            raise BoardTrouble(f'this board runs MicroPython {facts.release}, and dotlatch needs '
                               f'{OLDEST[0]}.{OLDEST[1]} or newer: put a newer firmware on it')
        prepare(board)
        folder, record = f'{facts.library}/dotlatch', f'{facts.library}/dotlatch/{RECORD}'
        frozen = _frozen(board, facts, loaded_with([name.partition('.')[2] for name in needs.starts]))
        ours = _ours(board, facts)
        microdot = _microdot(board, facts, needs, ours, bool(frozen))
        tool = tool_for(facts) if not as_source and (microdot or not frozen) else None
        app = app_files(needs.files, facts.root)
        elsewhere = {
            **library_files('microdot', installed_microdot(), microdot, facts.library, facts.march, tool), **app}
        wanted: 'dict[str, bytes]' = {}
        if not frozen:
            wanted.update(library_files('dotlatch', FOLDER, needs.modules, facts.library, facts.march, tool))
        wanted.update(elsewhere)
        stale = [path for path in ours if path.startswith(f'{facts.library}/microdot/') and path not in wanted]
        sums = {path: sum for path, sum in ours.items() if path not in stale}  # another app may be there too
        sums.update((path, checksum(contents)[:_SUM]) for path, contents in elsewhere.items())
        wanted[record] = _record(sums, None if frozen else needs, as_source)
        change = Change.between(board, wanted, (folder,), stale)
        foreign = [path for path in change.replaced if path in app and path not in ours]
        return cls(board, facts, needs, change, record, frozen, foreign)

    @property
    def files(self) -> 'list[str]':
        """All that is wanted there, but for our own record."""
        return [path for path in self.change.wanted if path != self.record]

    @property
    def copied(self) -> 'list[str]':
        """Of these, what is not there yet."""
        return [path for path in self.change.copied if path != self.record]

    @property
    def size(self) -> int:
        """Their bytes."""
        return sum([len(self.change.wanted[path]) for path in self.copied])

    def carry_out(self, progress: 'Callable[[int, int, str], None]') -> None:
        """Copy and remove; see :meth:`~dotlatch.server.board.copying.Change.carry_out`."""
        self.change.carry_out(self.board, self.facts.room, self.facts.block, self.record, progress)

    def try_out(self) -> 'tuple[int, int]':
        """Load what the app loads with an empty heap, and return the bytes that are free before and after.

        :raises DoesNotLoad: when an import fails.
        """
        self.board.fresh()
        starts = ['microdot', *self.needs.starts]
        try:
            self.board.run(_LOAD % starts, timeout=120)
        except RemoteError as error:
            raise DoesNotLoad(self._why(error)) from None
        free: 'list[int]' = self.board.ask('_free')
        return free[0], free[-1]

    def _why(self, error: RemoteError) -> str:
        line = error.last_line
        if line.startswith('MemoryError'):
            return (f'everything is copied, but the heap of this board ({self.facts.heap // 1024} KB) is too small to '
                    'load it all: choose fewer features, or a firmware with dotlatch frozen in, which `dotlatch '
                    'firmware` builds for a Pico')
        return f'everything is copied, but it does not load on the board: {line}'


def add_modules(board: Board, facts: Facts, names: 'list[str]') -> None:
    """Have modules on a board that were not deployed, with those that they load; the rest stays as it is."""
    if _frozen(board, facts, closure(names, CHOSEN)):
        return
    record = record_of(board, facts)
    if (record.get('version'), record.get('edition')) != (__version__, _edition()):
        raise BoardTrouble('this board has no dotlatch, or another version than this computer: run `dotlatch deploy` '
                           'first')
    there = {name.rpartition('.')[0] for name in board.ask(f'_listed({facts.library + "/dotlatch"!r})')}
    wanted = [name for name in closure(names, CHOSEN) if name not in there]
    tool = tool_for(facts) if record.get('kind') == '.mpy' else None
    files = library_files('dotlatch', FOLDER, wanted, facts.library, facts.march, tool)
    prepare(board)
    Change.between(board, files).carry_out(board, facts.room, facts.block)


def _frozen(board: Board, facts: Facts, modules: 'Collection[str]') -> 'Frozen | None':
    """Return what the firmware has of dotlatch; BoardTrouble when other files come before those we copy."""
    frozen = Frozen.of(board, 'dotlatch')
    if frozen:
        frozen.check(modules)
        return frozen
    file = where(board, 'dotlatch')
    if file and not file.startswith(facts.library + '/'):
        path = join(facts.root or '/', file.removesuffix('/__init__.py').removesuffix('/__init__.mpy'))
        raise BoardTrouble(f'{path} on the board hides what would be copied to {facts.library}: remove it with '
                           f'`mpremote rm -r :{path}`')
    return None


def _ours(board: Board, facts: Facts) -> 'dict[str, str]':
    """Return the files of Microdot and of apps that are as ``dotlatch deploy`` has put them there, and their sums."""
    kept = [record.get('files') for record in records_of(board, facts)]
    recorded = [(path, sum) for files in kept if isinstance(files, dict) for path, sum in files.items()]
    sums = sums_of(board, sorted({path for path, _ in recorded}))
    return {path: sum for path, sum in recorded if sum == (sums[path] or '')[:_SUM]}


def _microdot(board: Board, facts: Facts, needs: Needs, ours: 'Collection[str]', is_frozen: bool) -> 'list[str]':
    """Return the modules of Microdot to copy: what somebody else has put or changed there stays."""
    folder = f'{facts.library}/microdot'
    there = board.ask(f'_listed({folder!r})')
    if is_frozen or not there:
        frozen = Frozen.of(board, 'microdot')
        if frozen:
            frozen.check(needs.microdot)
        if frozen or (not there and where(board, 'microdot') is not None):
            return []  # part of the firmware, or in another folder
    others = {name.rpartition('.')[0] for name in there if f'{folder}/{name}' not in ours}
    return [name for name in needs.microdot if name not in others]


def installed_microdot() -> Path:
    """Return the folder of the Microdot that this computer has."""
    folder = microdot_folder()
    if folder is None:
        raise BoardTrouble('Microdot is not installed on this computer: pip install microdot')
    return folder


def _record(sums: 'dict[str, str]', needs: 'Needs | None', as_source: bool) -> bytes:
    """Return what the next deploy has to know: which files outside of our folder are ours, and what is in it."""
    record: 'dict[str, Any]' = {'files': dict(sorted(sums.items()))}
    if needs is not None:
        record.update(version=__version__, edition=_edition(), kind='.py' if as_source else '.mpy',
                      modules=len(needs.modules))
    return json.dumps(record).encode()


@cache
def _edition() -> str:
    """Return what differs where any module does: between releases, modules do not fit each other."""
    text = b''.join((FOLDER / f'{name}.py').read_bytes() for name in all_modules())
    return sha256(text).hexdigest()[:_SUM]

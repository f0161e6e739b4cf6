"""Puts dotlatch, Microdot and an app on a board, and sees that they load there.

::

    with Board.found(None) as board:
        plan = Plan.of(board, needs_of('greenhouse/main.py'))
        plan.change.copied                     # what is not there yet
        plan.carry_out(progress=show)
        before, after = plan.try_out()         # bytes of heap that are free
"""
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .building import app_files, library_files, tool_for
from .connection import Board, BoardTrouble, RemoteError
from .copying import Change
from .facts import RECORD, Facts, record_of, where
from .needs import CHOSEN, FOLDER, Needs, closure, microdot_folder

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


def our_version() -> str:
    """Return the version of dotlatch on this computer."""
    from importlib.metadata import PackageNotFoundError, version  # 25 ms, which no other command needs
    try:
        return version('dotlatch')
    except PackageNotFoundError:  # run from a copy of the sources
        return 'unknown'


@dataclass
class Plan:
    """What a board has and what it is to get.

    :param is_frozen: dotlatch is part of the firmware, and only the app is copied.
    """
    board: Board
    facts: Facts
    needs: Needs
    change: Change
    record: 'str | None'
    is_frozen: bool

    @classmethod
    def of(cls, board: Board, needs: Needs, as_source: bool = False) -> 'Plan':
        """Compile what is needed, and compare it with what is there. Nothing is changed yet.

        :param as_source: copy .py files as they are.
        :raises BoardTrouble: when what is copied could not be used there.
        """
        board.fresh()
        facts = Facts.of(board)
        tool = None if as_source else tool_for(facts)
        folder, record = f'{facts.library}/dotlatch', f'{facts.library}/dotlatch/{RECORD}'
        is_frozen = _is_frozen(board, facts)
        wanted: 'dict[str, bytes]' = {}
        if not is_frozen:
            wanted.update(library_files('dotlatch', FOLDER, needs.modules, facts.library, facts.march, tool))
        microdot = _microdot(board, facts, needs, record_of(board, facts))
        wanted.update(library_files('microdot', _installed_microdot(), microdot, facts.library, facts.march, tool))
        wanted.update(app_files(needs.files, facts.root))
        if not is_frozen:
            wanted[record] = _record(needs, microdot, as_source)
        change = Change.between(board, wanted, () if is_frozen else (folder,))
        return cls(board, facts, needs, change, None if is_frozen else record, is_frozen)

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
                    'load it all: choose fewer features, or a firmware with dotlatch frozen in')
        return f'everything is copied, but it does not load on the board: {line}'


def add_modules(board: Board, facts: Facts, names: 'list[str]') -> None:
    """Have modules on a board that were not deployed, with those that they load; the rest stays as it is."""
    if _is_frozen(board, facts):
        return
    record = record_of(board, facts)
    if record.get('version') != our_version():
        raise BoardTrouble('this board has no dotlatch, or another version than this computer: run `dotlatch deploy` '
                           'first')
    there = {name.rpartition('.')[0] for name in board.ask(f'_listed({facts.library + "/dotlatch"!r})')}
    wanted = [name for name in closure(names, CHOSEN) if name not in there]
    tool = tool_for(facts) if record.get('kind') == '.mpy' else None
    files = library_files('dotlatch', FOLDER, wanted, facts.library, facts.march, tool)
    Change.between(board, files).carry_out(board, facts.room, facts.block)


def _is_frozen(board: Board, facts: Facts) -> bool:
    """Return whether the firmware has dotlatch in it; BoardTrouble when other files come before those we copy."""
    file = where(board, 'dotlatch')
    if not file or file.startswith(facts.library + '/'):
        return False
    if board.ask('"dotlatch" in os.listdir()'):
        raise BoardTrouble(f'{facts.root}/dotlatch on the board hides what would be copied to {facts.library}: remove '
                           f'it with `mpremote rm -r :{facts.root}/dotlatch`')
    return True


def _microdot(board: Board, facts: Facts, needs: Needs, last: 'dict[str, Any]') -> 'list[str]':
    """Return the modules of Microdot to copy: what somebody else has put there stays."""
    there = board.ask(f'_listed({facts.library + "/microdot"!r})')
    ours = last.get('microdot', [])
    if not there and where(board, 'microdot') is not None:
        return []  # part of the firmware, or in another folder
    others = {name.rpartition('.')[0] for name in there} - {*ours}
    return [name for name in needs.microdot if name not in others]


def _installed_microdot() -> Path:
    folder = microdot_folder()
    if folder is None:
        raise BoardTrouble('Microdot is not installed on this computer: pip install microdot')
    return folder


def _record(needs: Needs, microdot: 'list[str]', as_source: bool) -> bytes:
    return json.dumps({'version': our_version(), 'kind': '.py' if as_source else '.mpy', 'modules': len(needs.modules),
                       'microdot': microdot}).encode()

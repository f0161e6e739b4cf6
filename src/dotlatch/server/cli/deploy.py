"""``dotlatch deploy``: dotlatch, Microdot and an app to a MicroPython board."""
import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from ..board.connection import Board
from ..board.deploying import Plan
from .board import confirm, release_told, troubles
from .choice import add_choice, needs_for, split, words_for
from .options import leaf
from .talk import Answer, Trouble, plain

_BAR = 24  # characters
_LITTLE = 64 * 1024  # bytes of heap: what a site with logins and pages is at ease with, and some for its Wi-Fi


def add_to(commands: Any) -> None:
    """Add this command."""
    deploy = leaf(commands, 'deploy', run, 'put dotlatch, Microdot and an app on a MicroPython board')
    deploy.add_argument('what', metavar='PORT | FILE.py', nargs='*',
                        help='the files of an app that the board starts with, such as main.py: what they import goes '
                             'along. The port, such as /dev/ttyACM0, when more than one board is plugged in')
    add_choice(deploy)
    deploy.add_argument('--source', action='store_true', help='copy .py files, which the board compiles at each start')
    deploy.add_argument('--yes', action='store_true', help='do not ask before what others have put there is replaced')
    deploy.add_argument('--dry-run', action='store_true', help='say what would be copied, and copy nothing')


def run(args: argparse.Namespace) -> Answer:
    """Copy what is not there yet, and have the board load it."""
    programs, ports = split(args.what)
    if len(ports) > 1:
        raise Trouble('that is more than one port: a board has one, and the files of an app end in .py')
    for port in ports:
        if os.path.isfile(port) or os.path.isdir(port):
            raise Trouble(f'{port} is neither a port nor a program: name the files of an app, which end in .py')
    needs = needs_for(programs, args)
    with troubles(), Board.found(ports[0] if ports else None) as board:
        plan = Plan.of(board, needs, args.source)
        if args.dry_run:
            return _answer(plan, [f'would copy {path}' + ', and replace what is there' * (path in plan.foreign)
                                  for path in plan.copied]
                           + [f'would remove {path}' for path in plan.change.removed]
                           or ['everything is there already'])
        if plan.foreign and not args.yes:
            files = ', '.join(plan.foreign)
            confirm(f'this replaces something else than `deploy` has put there, in {files}', 'replace')
        if plan.change:
            with _Bar(args.json) as bar:
                plan.carry_out(bar)
        before, after = plan.try_out()
        lines = _told(plan, before, after, words_for(programs, args))
        return _answer(plan, lines, heap={'before': before, 'after': after})


def _told(plan: Plan, before: int, after: int, asked: str) -> 'list[str]':
    change = plan.change
    lines = [f'board    {plan.facts.machine}, MicroPython {plan.facts.release}',
             f'copied   {_files(plan.copied)}, {plan.size / 1024:.1f} KB; '
             f'{len(plan.files) - len(plan.copied)} were there already']
    if change.removed:
        lines.append(f'removed  {_files(change.removed)} that stood in the way or are not needed any more')
    if plan.frozen:
        lines.append(f'frozen   {release_told(plan.frozen.version)}: part of the firmware, which comes before files in '
                     f'{plan.facts.library}: nothing of dotlatch is copied')
        missing = plan.frozen.missing(plan.needs.modules)
        if missing:
            lines.append(f'without  {", ".join(missing)}: what your program does with them fails. `dotlatch firmware '
                         f'{asked}` builds one that has them')
    lines.append(f'heap     {before // 1024} KB free, {after // 1024} KB once everything is imported')
    if after < _LITTLE and not plan.frozen:
        how = (f'`dotlatch firmware {asked}` builds one' if 'RP2' in plan.facts.machine else
               'see "Freeze it into the firmware" in the documentation')
        left = _if_frozen(before, after) // 1024
        lines.append(f'little   frozen into a firmware, all of this leaves about {left} KB: {how}')
    if 'main.py' in plan.needs.files.values():
        lines.append('started  main.py runs now: `mpremote` shows what it prints')
    return lines


def _if_frozen(before: int, after: int) -> int:
    """Return how much heap is left, roughly: what is frozen takes less than a third of what compiled files take."""
    return before - (before - after) // 3


def _files(paths: 'list[str]') -> str:
    return f'{len(paths)} file{"s" * (len(paths) != 1)}'


def _answer(plan: Plan, lines: 'list[str]', **more: Any) -> Answer:
    change = plan.change
    result = {'board': plan.facts.machine, 'micropython': plan.facts.release, 'copied': plan.copied,
              'removed': change.removed, 'bytes': plan.size, 'files': len(plan.files), **more}
    return Answer(result, lines)


class _Bar:
    """A progress bar, where somebody watches."""

    def __init__(self, is_quiet: bool) -> None:
        self._show: 'Callable[[str], object] | None' = None
        if not is_quiet and sys.stderr is not None and sys.stderr.isatty():
            self._show = sys.stderr.write

    def __enter__(self) -> 'Callable[[int, int, str], None]':
        return self._draw

    def __exit__(self, *exception: object) -> None:
        if self._show is not None:
            self._show('\r\x1b[K')
            sys.stderr.flush()

    def _draw(self, done: int, total: int, path: str) -> None:
        if self._show is None:
            return
        filled = _BAR * done // max(total, 1)
        self._show(f'\r[{"#" * filled}{"-" * (_BAR - filled)}] {100 * done // max(total, 1):3}%  '
                   f'{plain(path)[:40]}\x1b[K')
        sys.stderr.flush()

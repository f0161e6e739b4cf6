"""``dotlatch deploy``: dotlatch, Microdot and an app to a MicroPython board."""
import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from ..board.connection import Board
from ..board.deploying import Plan
from ..board.needs import FEATURES, Needs, UnknownModule, needs_of, needs_of_features
from .board import confirm, troubles
from .options import leaf, words
from .talk import Answer, Refused, Trouble, plain

_BAR = 24  # characters


def add_to(commands: Any) -> None:
    """Add this command."""
    deploy = leaf(commands, 'deploy', run, 'put dotlatch, Microdot and an app on a MicroPython board')
    deploy.add_argument('what', metavar='PORT | FILE.py', nargs='*',
                        help='the files of an app that the board starts with, such as main.py: what they import goes '
                             'along. The port, such as /dev/ttyACM0, when more than one board is plugged in')
    deploy.add_argument('--features', metavar='NAMES', type=words,
                        help=f'without an app: words with commas, of {", ".join(FEATURES)}')
    deploy.add_argument('--without', metavar='FILES', type=words, default=[],
                        help='files of the app that stay here: names with commas')
    deploy.add_argument('--source', action='store_true', help='copy .py files, which the board compiles at each start')
    deploy.add_argument('--yes', action='store_true', help='do not ask before what others have put there is replaced')
    deploy.add_argument('--dry-run', action='store_true', help='say what would be copied, and copy nothing')


def run(args: argparse.Namespace) -> Answer:
    """Copy what is not there yet, and have the board load it."""
    programs = [what for what in args.what if what.endswith('.py')]
    ports = [what for what in args.what if not what.endswith('.py')]
    if len(ports) > 1:
        raise Trouble('that is more than one port: a board has one, and the files of an app end in .py')
    for port in ports:
        if os.path.isfile(port) or os.path.isdir(port):
            raise Trouble(f'{port} is neither a port nor a program: name the files of an app, which end in .py')
    needs = _needs(programs, args)
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
        return _answer(plan, _told(plan, before, after), heap={'before': before, 'after': after})


def _needs(programs: 'list[str]', args: argparse.Namespace) -> Needs:
    if programs and args.features:
        raise Trouble('an app says itself what it needs: leave --features out')
    if args.without and not programs:
        raise Trouble('--without is for the files of an app: name its main.py')
    for path in programs:
        if not os.path.isfile(path):
            raise Trouble(f'there is no {path}')
    try:
        if programs:
            return needs_of(*programs, without=args.without)
        return needs_of_features(args.features or _asked())
    except UnknownModule as error:
        raise Trouble(str(error)) from None


def _asked() -> 'list[str]':
    """Let somebody choose at the terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise Trouble('say what the board is for: name the main.py of an app, or --features login,users')
    names = list(FEATURES)
    lines = [f'{number:4}  {name:15} {FEATURES[name][0]}' for number, name in enumerate(names, 1)]
    print('\n'.join(['What is the board for?', *lines, 'Numbers or names, with commas: ']), end='', file=sys.stderr,
          flush=True)
    chosen = [word.strip() for word in sys.stdin.readline().split(',') if word.strip()]
    if not chosen:
        raise Refused('nothing was chosen, and nothing was copied')
    return [names[int(word) - 1] if word.isascii() and word.isdigit() and 0 < int(word) <= len(names) else word
            for word in chosen]


def _told(plan: Plan, before: int, after: int) -> 'list[str]':
    change = plan.change
    lines = [f'board    {plan.facts.machine}, MicroPython {plan.facts.release}',
             f'copied   {_files(plan.copied)}, {plan.size / 1024:.1f} KB; '
             f'{len(plan.files) - len(plan.copied)} were there already']
    if change.removed:
        lines.append(f'removed  {_files(change.removed)} that stood in the way or are not needed any more')
    if plan.is_frozen:
        lines.append('note     dotlatch is part of this firmware: of the files, only those of the app were copied')
    lines.append(f'heap     {before // 1024} KB free, {after // 1024} KB once everything is imported')
    if 'main.py' in plan.needs.files.values():
        lines.append('started  main.py runs now: `mpremote` shows what it prints')
    return lines


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

"""``dotlatch board ...``: what a MicroPython board is, how fast it hashes, and how it gets a new owner."""
import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from ... import __version__
from ..board.connection import Board, BoardTrouble, NoBoard, RemoteError
from ..board.deploying import add_modules
from ..board.facts import Facts, record_of, where
from ..board.frozen import Frozen
from .options import leaf, number, words
from .talk import Answer, NotThere, Refused, Trouble, moment, plain

# What apps of the docs keep on a board.
_USERS = 'users.json'
_KEPT = ('secret.key', 'keys.json', 'sessions', 'revoked.json', 'throttle.bin', 'steps.json')


def add_to(commands: Any) -> None:
    """Add these commands."""
    board = commands.add_parser('board', help='a MicroPython board that is plugged in',
                                description='A MicroPython board that is plugged in.')
    verbs = board.add_subparsers(metavar='COMMAND', dest='verb', required=True)
    info = leaf(verbs, 'info', show, 'show what a board is, and what of dotlatch is on it')
    calibrate = leaf(verbs, 'calibrate', measure, 'measure how costly a hash of a password may be there')
    calibrate.add_argument('--ms', metavar='N', type=number(1, 60000), default=1000,
                           help='how long a login may take, in milliseconds (default: 1000)')
    reset = leaf(verbs, 'reset', wipe, 'wipe users, keys and sessions, so that the board waits for a new owner')
    reset.add_argument('--users', metavar='FILE', default=_USERS, help=f'the users file there (default: {_USERS})')
    reset.add_argument('--files', metavar='NAMES', type=words, default=list(_KEPT),
                       help='what else the app keeps there, files and folders, with commas between them '
                            f'(default: {",".join(_KEPT)})')
    reset.add_argument('--yes', action='store_true', help='do not ask')
    for command in (info, calibrate, reset):
        command.add_argument('port', metavar='PORT', nargs='?',
                             help='its port, such as /dev/ttyACM0, when more than one is plugged in')


@contextlib.contextmanager
def troubles() -> 'Iterator[None]':
    """Say what goes wrong with a board as any other trouble."""
    try:
        yield
    except NoBoard as error:
        raise NotThere(plain(error)) from None
    except RemoteError as error:
        raise Trouble(f'the board says: {plain(error.last_line)}') from None
    except BoardTrouble as error:
        raise Trouble(plain(error)) from None


def show(args: argparse.Namespace) -> Answer:
    """Ask it."""
    with troubles(), Board.found(args.port) as board:
        board.fresh()
        facts = Facts.of(board)
        found = _dotlatch(board, facts)
    result = {'port': board.port, 'board': facts.machine, 'micropython': facts.release,
              'mpy': list(facts.mpy) if facts.mpy else None, 'processor': facts.march,
              'heap': {'free': facts.free, 'total': facts.heap}, 'flash': {'free': facts.room, 'total': facts.flash},
              'clock': facts.clock, 'dotlatch': found}
    mpy = f'; loads .mpy {facts.mpy[0]}.{facts.mpy[1]}, {facts.march or "no machine code"}' if facts.mpy else ''
    return Answer(result, [
        f'board     {facts.machine} on {board.port}',
        f'python    MicroPython {facts.release}{mpy}',
        f'heap      {facts.free // 1024} KB free of {facts.heap // 1024} KB, before a program is loaded',
        f'flash     {facts.room // 1024} KB free of {facts.flash // 1024} KB',
        f'clock     {moment(facts.clock) or "not set"}',
        f'dotlatch  {_version_told(found)}'])


def measure(args: argparse.Namespace) -> Answer:
    """Have it measured, by dotlatch.calibrate on the board."""
    with troubles(), Board.found(args.port) as board:
        board.fresh()
        facts = Facts.of(board)
        add_modules(board, facts, ['calibrate'])
        board.run('import asyncio\nfrom dotlatch import calibrate, pbkdf2')
        iterations = board.ask(f'asyncio.run(calibrate.calibrate({args.ms}))', timeout=180)
        engine = board.ask('pbkdf2.ENGINE')
    return Answer({'iterations': iterations, 'ms': args.ms, 'engine': engine}, [
        f'{iterations} iterations take about {args.ms} ms on this board (engine: {engine})',
        f'in main.py: from dotlatch import passwords; passwords.ITERATIONS = {iterations}'])


def wipe(args: argparse.Namespace) -> Answer:
    """Wipe it, once whoever types has said so."""
    with troubles(), Board.found(args.port) as board:
        board.fresh()
        facts = Facts.of(board)
        there = board.ask(f'[p for p in {[args.users, *args.files]!r} if _is_there(p)]')
        if args.users not in there:
            raise Refused(f'there is no {args.users} on this board: it has no owner, or --users has to name the file')
        if not args.yes:
            confirm(f'this wipes {", ".join(there)} of the board', 'reset')
        if where(board, 'dotlatch.claimreset') is None:
            add_modules(board, facts, ['claimreset'])
        rest = ', '.join([repr(path) for path in there if path != args.users])
        board.run(f'from dotlatch.claimreset import reset\nreset({args.users!r}, {rest})', timeout=60)
    return Answer({'port': board.port, 'board': facts.machine, 'wiped': there},
                  [f'wiped {", ".join(there)}', 'the board starts anew: `mpremote` shows the code for its next owner'])


def confirm(what: str, word: str) -> None:
    """Go on when whoever sits at the terminal types the word."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise Trouble(f'{what}: say --yes')
    print(f'{plain(what[0].upper() + what[1:])}. Type "{word}" to go on: ', end='', file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != word:
        raise Refused('nothing was changed')


def _dotlatch(board: Board, facts: Facts) -> 'dict[str, Any] | None':
    """Return what of dotlatch is on the board; None when nothing is."""
    frozen = Frozen.of(board, 'dotlatch')
    if frozen:
        return {'version': frozen.version, 'modules': len(frozen.modules) if frozen.modules else None, 'kind': 'frozen',
                'features': frozen.features}
    if where(board, 'dotlatch') is None:
        return None
    record = record_of(board, facts)
    return {'version': record.get('version'), 'modules': record.get('modules'), 'kind': record.get('kind')}


def _version_told(found: 'dict[str, Any] | None') -> str:
    if found is None:
        return 'not there: `dotlatch deploy` puts it there'
    if found['kind'] == 'frozen':
        modules = f', {found["modules"]} modules: {", ".join(found["features"])}' if found['modules'] else ''
        return f'frozen into the firmware, {release_told(found["version"])}{modules}'
    if found['version'] is None:
        return 'there, and not by `dotlatch deploy`, or not wholly: its version is not known'
    return f'{release_told(found["version"])}, {found["modules"]} modules as {found["kind"]} files'


def release_told(version: 'str | None') -> str:
    """Return the version of dotlatch on a board as people are told it."""
    other = '' if version == __version__ else f' (this computer has {__version__})'
    return f'{version or "of an unknown version"}{other}'

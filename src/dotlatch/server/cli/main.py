"""``dotlatch COMMAND ...``: the arguments, and what becomes of each ending.

::

    sys.exit(main(['user', 'list', '--json']))
"""
import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from .places import Visit
from .talk import NO, TROUBLE, Answer, Refused, Trouble, plain

# Which file of this folder has each command: what is not asked for is not loaded.
_FILES = {'secret': 'hashing', 'hash': 'hashing', 'verify': 'hashing', 'user': 'users', 'sessions': 'sessions',
          'keys': 'keys', 'deploy': 'deploy', 'firmware': 'firmware', 'board': 'board'}


class Parser(argparse.ArgumentParser):
    """argparse, which quotes in its errors what it was given: that may be a password in a place where none belongs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        where, _, choices = message.partition('invalid choice: ')
        if choices:
            message = where + 'one of' + choices.rpartition('(choose from')[2].rstrip(')')
        where, _, value = message.partition('ignored explicit argument')
        if value:
            message = where + 'it takes no value'
        super().error(message)


def parser(command: 'str | None' = None) -> Parser:
    """Return what reads the arguments of one command, or of any."""
    top = Parser(prog='dotlatch', description='Keys, hashes, accounts, sessions and boards of a dotlatch app.',
                 epilog='Exit codes: 0 done, 1 no, 2 wrong usage or trouble, 3 no board that answers. Passwords are '
                        'typed or piped in.')
    commands = top.add_subparsers(metavar='COMMAND', dest='command', required=True)
    for file in [_FILES[command]] if command in _FILES else dict.fromkeys(_FILES.values()):
        import_module('.' + file, __package__).add_to(commands)
    return top


def main(argv: 'Sequence[str] | None' = None) -> int:
    """Do what the arguments say and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')  # a name that this terminal has no letters for
    given = sys.argv[1:] if argv is None else argv
    reader = parser(given[0] if given else None)
    args, rest = reader.parse_known_args(given)
    if hasattr(args, 'what'):  # deploy's, of which argparse takes no more after an option
        args.what = args.what + [word for word in rest if not word.startswith('-')]
        rest = [word for word in rest if word.startswith('-')]
    if rest:
        reader.error('too many arguments, or an option that there is not. Passwords are never arguments: they are '
                     'typed or piped in')
    if sys.stdout is None:
        return _say('there is no standard output to answer on', TROUBLE)
    try:
        with Visit() as args.visit:
            answer: Answer = args.run(args)
            answer.write(args.json)
            return answer.code
    except Refused as refusal:
        return _say(refusal, NO)
    except Trouble as trouble:
        _forget_output()
        return _say(trouble, trouble.code)
    except OSError as error:
        where = f'{error.filename}: ' if error.filename else ''
        return _say(where + (error.strerror or str(error)), TROUBLE)
    except KeyboardInterrupt:
        return _say('stopped', 130)
    except Exception:  # of an object of the app, say: Python would end with the code of a no
        traceback.print_exc()
        return TROUBLE


def _say(message: object, code: int) -> int:
    try:
        sys.stderr.write(f'dotlatch: {plain(message)}\n')
    except (AttributeError, OSError):  # there is none, or nobody reads it: the code says enough
        pass
    return code


def _forget_output() -> None:
    """Leave nothing to be written at the end, which would fail once more, and loudly."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""What a board is for, as its owner says it: the files of an app, or features by their names.

::

    add_choice(command)
    programs, others = split(args.what)     # others: a port
    needs = needs_for(programs, args)
    words_for(programs, args)               # 'main.py', '--features login,users': as it was said
"""
import argparse
import os
import shlex
import sys
from typing import Any

from ..board.needs import FEATURES, Needs, UnknownModule, needs_of, needs_of_features
from .options import words
from .talk import Refused, Trouble


def add_choice(command: Any) -> None:
    """Add the options beside the files."""
    command.add_argument('--features', metavar='NAMES', type=words,
                         help=f'without an app: words with commas, of {", ".join(FEATURES)}')
    command.add_argument('--without', metavar='FILES', type=words, default=[],
                         help='files of the app that stay here: names with commas')


def split(what: 'list[str]') -> 'tuple[list[str], list[str]]':
    """Return the files of an app, and the rest."""
    return [word for word in what if word.endswith('.py')], [word for word in what if not word.endswith('.py')]


def needs_for(programs: 'list[str]', args: argparse.Namespace) -> Needs:
    """Return what is needed; Trouble when that is not clear, or cannot be."""
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
        args.features = args.features or _asked()
        return needs_of_features(args.features)
    except UnknownModule as error:
        raise Trouble(str(error)) from None


def words_for(programs: 'list[str]', args: argparse.Namespace) -> str:
    """Return the words that say the same to another command."""
    without = ['--without', ','.join(args.without)] if args.without else []
    return shlex.join([*programs, *without] if programs else ['--features', ','.join(args.features)])


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
        raise Refused('nothing was chosen, and nothing was changed')
    return [names[int(word) - 1] if word.isascii() and word.isdigit() and 0 < int(word) <= len(names) else word
            for word in chosen]

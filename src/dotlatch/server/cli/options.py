"""Options that several commands have.

::

    command = leaf(commands, 'list', run, 'show all users')
    command.add_argument('--iterations', type=number(1000, MAX_ITERATIONS))
"""
import argparse
import re
from collections.abc import Callable
from typing import Any

from ...identity import user_id
from .places import USERS as USERS
from .places import add_users_option, find_user, open_users
from .talk import Answer, Trouble

MOST_LISTED = 1000


def leaf(commands: Any, name: str, run: 'Callable[[argparse.Namespace], Answer]', help: str) -> Any:
    """Add a command, and return its parser."""
    command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + '.')
    command.add_argument('--json', action='store_true', help='answer in JSON')
    command.set_defaults(run=run)
    return command


def number(least: int, most: int) -> 'Callable[[str], int]':
    """Return a type of argument: a whole number in these bounds."""
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 20 or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f'a number from {least} to {most}')
        return int(text)
    return read


def words(text: str) -> 'list[str]':
    """A type of argument: words with commas between them."""
    found = [word.strip() for word in utf8(text).split(',')] if text else []
    if not all(found):
        raise argparse.ArgumentTypeError('words with a comma between them, such as read,write')
    return found


def utf8(text: str) -> str:
    """A type of argument: text, and not bytes that are none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError('text in UTF-8') from None
    return text


def add_owner(command: Any) -> None:
    """Add USER and how it is meant."""
    command.add_argument('user', metavar='USER', type=utf8, help='the name of a user')
    add_users_option(command)
    kind = command.add_mutually_exclusive_group()
    kind.add_argument('--id', action='store_true', help='USER is the id of a user, and no name')
    kind.add_argument('--number', action='store_true', help='the same, for an id that is a number')


def owner_of(args: argparse.Namespace) -> 'str | int':
    """Return the id of the USER."""
    if args.number:
        if not re.fullmatch('0|-?[1-9][0-9]{0,18}', args.user):
            raise Trouble('with --number, USER is a number')
        return int(args.user)
    if args.id:
        return str(args.user)
    found: 'str | int' = user_id(find_user(args, open_users(args), args.user))
    return found


def add_page(command: Any, what: str) -> None:
    """Add which part of a long list is wanted."""
    command.add_argument('--after', metavar=what, help='go on behind this one, with which the last list ended')
    command.add_argument('--limit', metavar='N', type=number(1, MOST_LISTED), default=MOST_LISTED,
                         help=f'show so many at most (default: {MOST_LISTED})')


def more(key: 'str | None') -> 'list[str]':
    """Return what people are told where a list has more than is shown."""
    return [] if key is None else [f"there are more: --after '{key}' shows them"]

"""Options that several commands have, and what is looked at before a file is touched.

::

    command = leaf(commands, 'list', run, 'show all users')
    command.add_argument('--iterations', type=number(1000, MAX_ITERATIONS))
"""
import argparse
import os
import pwd
from collections.abc import Callable
from typing import Any

from ... import copies, files
from ...users import FileUsers, User
from .talk import Answer, Refused, Trouble

USERS = 'users.json'


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
    found = [word.strip() for word in text.split(',')] if text else []
    if not all(found):
        raise argparse.ArgumentTypeError('words with a comma between them, such as read,write')
    return found


def add_owner(command: Any) -> None:
    """Add USER and how it is meant."""
    command.add_argument('user', metavar='USER', help='a name in the users file')
    command.add_argument('--users', metavar='FILE', default=USERS, help=f'the users file (default: {USERS})')
    kind = command.add_mutually_exclusive_group()
    kind.add_argument('--id', action='store_true', help='USER is the id of a user, and no name')
    kind.add_argument('--number', action='store_true', help='the same, for an id that is a number')


def owner_of(args: argparse.Namespace) -> 'str | int':
    """Return the id of the USER."""
    if args.number:
        try:
            return int(args.user)
        except ValueError:
            raise Trouble('with --number, USER is a number') from None
    return args.user if args.id else find_user(open_users(args.users, '--users'), args.user).id


# --- files ------------------------------------------------------------------------------------------

def open_users(path: str, option: str = '--file', is_new: bool = False, **options: Any) -> FileUsers:
    """Return the users of a file.

    :param is_new: there need not be a file.
    """
    check_file(path, option, is_new)
    try:
        return FileUsers(path, **options)
    except ValueError as error:
        raise Trouble(str(error)) from None


def find_user(users: FileUsers, name: str) -> User:
    """Return the user of that name; Refused when there is none."""
    user = users.get_by_name(name)
    if user is None:
        raise Refused(f'there is no user {name} in {users.path}')
    return user


def check_file(path: str, option: str, is_new: bool = False) -> None:
    """Raise Trouble when there is no such file, or it is somebody else's."""
    there = [path + end for end in ('', copies.COPY, files._OLD) if os.path.exists(path + end)]
    if not there and not is_new:
        raise Trouble(f'there is no {path}: name the file with {option}')
    for name in there:
        check_owner(name)


def check_owner(path: str) -> None:
    """Raise Trouble for what belongs to another user of this machine.

    Files are replaced whole: root's new one would be root's alone, and the app could not read it any more.
    """
    owner = os.stat(path).st_uid
    if owner == os.geteuid():
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"'#{owner}'"
    raise Trouble(f'{path} belongs to {name}: run this as that user, with sudo -u {name}, or the app would not be '
                  'able to read it afterwards')

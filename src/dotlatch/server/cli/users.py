"""``dotlatch user ...``: the accounts of a :class:`dotlatch.users.FileUsers`, also while an app uses them."""
import argparse
import asyncio
from typing import Any

from ... import passwords
from ...digest import DigestAuth
from ...names import check_name
from ...strength import WeakPassword, check_strength
from ...users import FileUsers, User
from .hashing import add_iterations
from .options import USERS, find_user, leaf, number, open_users, words
from .talk import Answer, Refused, read_new_password, table

# What needs nothing but the name, and what is said when it is done.
_VERBS = {
    'disable': ('shut an account, and end its sessions', 'is disabled'),
    'enable': ('open an account again', 'is enabled'),
    'logout': ('end all sessions of a user, wherever they are', 'is logged out everywhere'),
    'remove': ('remove an account', 'is removed'),
}


def add_to(commands: Any) -> None:
    """Add these commands."""
    user = commands.add_parser('user', help='the accounts in a users file', description='The accounts in a users file.')
    verbs = user.add_subparsers(metavar='COMMAND', dest='verb', required=True)
    add = _named(verbs, 'add', add_user, 'add an account, with a password that is typed or piped in')
    add.add_argument('--scopes', type=words, default=[], help='what the user may do: words with commas between them')
    add.add_argument('--max-users', metavar='N', type=number(1, 1000000), default=1000,
                     help='how many there may be (default: 1000)')
    passwd = _named(verbs, 'passwd', set_password, 'give a user another password, which ends the sessions')
    for command in (add, passwd):
        command.add_argument('--weak', action='store_true', help='take any password')
        command.add_argument('--realm', help='the realm of a DigestAuth, for users who log in by Digest')
        add_iterations(command)
    scopes = _named(verbs, 'scopes', set_scopes, 'say anew what a user may do')
    scopes.add_argument('scopes', metavar='SCOPES', type=words, help="words with commas between them; '' for none")
    for verb, (help, _) in _VERBS.items():
        _named(verbs, verb, change, help)
    _add_file(leaf(verbs, 'list', list_users, 'show all accounts'))


def _named(verbs: Any, name: str, run: Any, help: str) -> Any:
    command = leaf(verbs, name, run, help)
    command.add_argument('name', metavar='NAME', help='the name of the user')
    _add_file(command)
    return command


def _add_file(command: Any) -> None:
    command.add_argument('--file', metavar='FILE', default=USERS, help=f'the users file (default: {USERS})')


def add_user(args: argparse.Namespace) -> Answer:
    """Add one, and the file if there is none."""
    users = _open(args, is_new=True, max_users=args.max_users)
    try:
        check_name(args.name)
        if users.get_by_name(args.name) is not None:  # said before anybody types a password
            raise ValueError('that name is taken')
        password = _new_password(args)
        user = asyncio.run(users.create(args.name, password, args.scopes))
    except ValueError as error:
        raise Refused(str(error)) from None
    return _done(user, f'{user.name} is added to {args.file}')


def set_password(args: argparse.Namespace) -> Answer:
    """Set it."""
    users = _open(args)
    user = find_user(users, args.name)
    try:
        asyncio.run(users.set_password(user, _new_password(args)))
    except ValueError as error:
        raise Refused(str(error)) from None
    return _done(user, f'{user.name} has a new password')


def set_scopes(args: argparse.Namespace) -> Answer:
    """Set them."""
    users = _open(args)
    user = find_user(users, args.name)
    _change(users, users.set_scopes, user, args.scopes)
    return _done(user, f'{user.name} may: {", ".join(user.scopes) or "nothing special"}')


def change(args: argparse.Namespace) -> Answer:
    """Carry out one of the verbs."""
    users = _open(args)
    user = find_user(users, args.name)
    act = users.end_sessions if args.verb == 'logout' else getattr(users, args.verb)
    _change(users, act, user)
    return _done(user, f'{user.name} {_VERBS[args.verb][1]}')


def _change(users: FileUsers, act: Any, *arguments: Any) -> None:
    try:
        act(*arguments)
    except (ValueError, KeyError):  # removed by another process in this moment
        raise Refused('that user is not there any more') from None


def list_users(args: argparse.Namespace) -> Answer:
    """Show all of them, by name."""
    found = [_public(user) for user in _open(args)]
    rows = [(user['name'], user['id'], 'yes' if user['is_active'] else 'no',
             'yes' if user['second_factor'] else 'no', ','.join(user['scopes'])) for user in found]
    return Answer({'users': found}, table(('NAME', 'ID', 'ACTIVE', 'SECOND FACTOR', 'SCOPES'), rows))


def _open(args: argparse.Namespace, is_new: bool = False, **options: Any) -> FileUsers:
    realm = getattr(args, 'realm', None)
    digest = DigestAuth(realm=realm) if realm else None
    return open_users(args.file, is_new=is_new, digest=digest, **options)


def _new_password(args: argparse.Namespace) -> str:
    """Return one that is good enough, and have it hashed at the cost that was asked for."""
    def check(password: str) -> None:
        if args.weak:
            return
        try:
            asyncio.run(check_strength(password, (args.name,)))
        except WeakPassword as problem:
            raise Refused(str(problem)) from None

    passwords.ITERATIONS = args.iterations
    return read_new_password(check)


def _done(user: User, line: str) -> Answer:
    return Answer(_public(user), [line])


def _public(user: User) -> 'dict[str, Any]':
    """Return what is no secret of an account."""
    return {'name': user.name, 'id': user.id, 'scopes': user.scopes, 'is_active': user.is_active,
            'second_factor': user.totp is not None}

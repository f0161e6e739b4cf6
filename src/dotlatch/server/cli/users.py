"""``dotlatch user ...``: accounts in a file or a database, also while an app uses them."""
import argparse
import asyncio
from typing import Any

from ... import passwords
from ...identity import get, has_second_factor, is_active, name_of, scope_list, user_id
from ...names import check_name, folded
from ...strength import WeakPassword, check_strength
from .hashing import add_iterations
from .options import add_page, leaf, more, number, words
from .places import add_users_option, find_user, open_users, users_place
from .talk import Answer, Refused, Trouble, read_new_password, table

# What needs nothing but the name, and what is said when it is done.
_VERBS = {
    'disable': ('shut an account, and end its sessions', 'is disabled'),
    'enable': ('open an account again', 'is enabled'),
    'logout': ('end all sessions of a user, wherever they are', 'is logged out everywhere'),
    'remove': ('remove an account', 'is removed'),
}


def add_to(commands: Any) -> None:
    """Add these commands."""
    user = commands.add_parser('user', help='accounts', description='Accounts.')
    verbs = user.add_subparsers(metavar='COMMAND', dest='verb', required=True)
    add = _named(verbs, 'add', add_user, 'add an account, with a password that is typed or piped in')
    add.add_argument('--scopes', type=words, default=[], help='what the user may do: words with commas between them')
    add.add_argument('--max-users', metavar='N', type=number(1, 1000000),
                     help='how many there may be in a file (default: 1000)')
    add.add_argument('--create', action='store_true', help='make the table in the database, unless it is there')
    passwd = _named(verbs, 'passwd', set_password, 'give a user another password, which ends the sessions')
    for command in (add, passwd):
        command.add_argument('--weak', action='store_true', help='take any password')
        command.add_argument('--realm', dest='digest', metavar='REALM', type=_digest,
                             help='the realm of a DigestAuth, for users who log in by Digest')
        add_iterations(command)
    scopes = _named(verbs, 'scopes', set_scopes, 'say anew what a user may do')
    scopes.add_argument('scopes', metavar='SCOPES', type=words, help="words with commas between them; '' for none")
    for verb, (help, _) in _VERBS.items():
        _named(verbs, verb, change, help)
    list_ = leaf(verbs, 'list', list_users, 'show the accounts')
    add_users_option(list_)
    add_page(list_, 'NAME')


def _named(verbs: Any, name: str, run: Any, help: str) -> Any:
    command = leaf(verbs, name, run, help)
    command.add_argument('name', metavar='NAME', help='the name of the user')
    add_users_option(command)
    return command


def add_user(args: argparse.Namespace) -> Answer:
    """Add one, and the file if there is none."""
    users = open_users(args, is_new=True, max_users=args.max_users, digest=args.digest)
    try:
        check_name(args.name)
        if args.visit.ask(users.get_by_name, args.name) is not None:  # said before anybody types a password
            raise ValueError('that name is taken')
        user = args.visit.ask(users.create, args.name, _new_password(args), args.scopes)
    except ValueError as error:
        raise Refused(str(error)) from None
    except (RuntimeError, TypeError) as error:  # a table with columns of its own
        raise Trouble(str(error)) from None
    return _done(user, f'{args.name} is added to {users_place(args)}')


def set_password(args: argparse.Namespace) -> Answer:
    """Set it."""
    users = open_users(args, digest=args.digest)
    user = find_user(args, users, args.name)
    try:
        args.visit.ask(users.set_password, user, _new_password(args))
    except ValueError as error:
        raise Refused(str(error)) from None
    return _done(user, f'{name_of(user)} has a new password')


def set_scopes(args: argparse.Namespace) -> Answer:
    """Set them."""
    user = _change(args, 'set_scopes', args.scopes)
    return _done(user, f'{name_of(user)} may: {", ".join(_scopes(user)) or "nothing special"}')


def change(args: argparse.Namespace) -> Answer:
    """Carry out one of the verbs."""
    user = _change(args, 'end_sessions' if args.verb == 'logout' else args.verb)
    return _done(user, f'{name_of(user)} {_VERBS[args.verb][1]}')


def _change(args: argparse.Namespace, method: str, *arguments: Any) -> Any:
    users = open_users(args)
    if not hasattr(users, method):
        raise Trouble(f'these accounts have no {args.verb}: it is for who looks after them otherwise')
    user = find_user(args, users, args.name)
    try:
        args.visit.ask(getattr(users, method), user, *arguments)
    except KeyError:  # removed by another process in this moment
        raise Refused('that user is not there any more') from None
    except ValueError as error:
        raise Refused(str(error)) from None
    except RuntimeError as error:  # a table without a column for it
        raise Trouble(str(error)) from None
    return user


def list_users(args: argparse.Namespace) -> Answer:
    """Show them, by name."""
    users = open_users(args)
    listed = _of_a_table(args, users) if hasattr(users, 'list_users') else _of_a_file(args, users)
    found = [_public(user) for user in listed[:args.limit]]
    following = found[-1]['name'] if len(listed) > args.limit else None
    rows = [(user['name'], str(user['id']), 'yes' if user['is_active'] else 'no',
             'yes' if user['second_factor'] else 'no', ','.join(user['scopes'])) for user in found]
    lines = table(('NAME', 'ID', 'ACTIVE', 'SECOND FACTOR', 'SCOPES'), rows)
    return Answer({'users': found, 'next': following}, [*lines, *more(following)])


def _of_a_table(args: argparse.Namespace, users: Any) -> 'list[Any]':
    """Return one more than are shown, if there is one."""
    listed: 'list[Any]' = args.visit.ask(users.list_users, args.after or '', args.limit)
    if len(listed) == args.limit:
        listed += args.visit.ask(users.list_users, name_of(listed[-1]), 1)
    return listed


def _of_a_file(args: argparse.Namespace, users: Any) -> 'list[Any]':
    return [user for user in users if args.after is None or folded(user.name) > folded(args.after)]


# --- passwords ----------------------------------------------------------------------------------------

def _digest(realm: str) -> Any:
    """A type of argument: the realm of a DigestAuth, which that makes."""
    from ...digest import DigestAuth
    try:
        return DigestAuth(realm=realm)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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


# --- answers ------------------------------------------------------------------------------------------

def _done(user: Any, line: str) -> Answer:
    return Answer(_public(user), [line])


def _public(user: Any) -> 'dict[str, Any]':
    """Return what is no secret of an account."""
    return {'name': name_of(user), 'id': user_id(user), 'scopes': _scopes(user), 'is_active': is_active(user),
            'second_factor': has_second_factor(user)}


def _scopes(user: Any) -> 'list[str]':
    return scope_list(get(user, 'scopes'))

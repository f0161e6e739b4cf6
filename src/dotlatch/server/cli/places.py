"""Where accounts, API keys and sessions are: in a file or folder, a database, a Redis, or an object of the app's own.

::

    users = open_users(args)
    anna = args.visit.ask(users.get_by_name, 'anna')    # whether that is async or not

An address may be in the environment: one that has a password in it has to be, since everybody on the machine sees a
program's arguments.
"""
import argparse
import asyncio
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ... import copies, files, passwords
from ...apikeys import FileKeys
from ...portable import followed
from ...stores import FileStore, is_session_id
from ...users import FileUsers
from ..errors import StoreUnavailable
from .talk import Refused, Trouble

USERS, KEYS = 'users.json', 'keys.json'
_TIMEOUT = 5.0  # seconds: who gives a command has more patience than a visitor
_REDIS = ('redis', 'rediss', 'unix')
_SECRET_KEY = 'DJANGO_SECRET_KEY'  # in the environment; the fallbacks on lines of their own
_PASSWORD = re.compile(r'://(?!/)[^@]*:[^@]*@')  # also one with / ? or # in it
_OBJECT = re.compile(r'[^\W\d][\w.]*:[^\W\d][\w.]*')  # module:name


class Visit:
    """The event loop of one command. What was opened for it is closed at its end."""

    def __init__(self) -> None:
        self._loop: 'asyncio.AbstractEventLoop | None' = None
        self._opened: 'list[Any]' = []

    def __enter__(self) -> 'Visit':
        return self

    def __exit__(self, *error: object) -> None:
        if self._loop is None:
            return
        for each in self._opened:
            self.ask(each.close)
        left = asyncio.all_tasks(self._loop)  # which took too long, and were given up
        for task in left:
            task.cancel()
        self._loop.run_until_complete(_ended(left))
        self._loop.close()

    def closing(self, opened: Any) -> Any:
        """Return what was opened, and close it at the end."""
        if hasattr(opened, 'close'):
            self._opened.append(opened)
        return opened

    def ask(self, f: 'Callable[..., Any]', *args: Any) -> Any:
        """Return what ``f`` returns, at once or later; Trouble when it could not be asked."""
        with _in_words():
            result = f(*args)
            if not isawaitable(result):
                return result
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            return self._loop.run_until_complete(result)


async def _ended(tasks: 'set[asyncio.Task[Any]]') -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _in_words() -> 'Iterator[None]':
    try:
        yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition('.')[0]
        if package not in ('redis', 'sqlalchemy', 'asyncpg', 'aiosqlite'):
            raise
        extra = 'redis' if package == 'redis' else 'sqlalchemy'
        raise Trouble(f"{package} is not installed: pip install 'dotlatch[{extra}]'") from None
    except StoreUnavailable as error:
        raise Trouble(f'{error}. See that the server runs, and that address, password and table are right') from None


# --- options ----------------------------------------------------------------------------------------

def add_users_option(command: Any) -> None:
    """Add where the accounts are."""
    command.add_argument('--users', metavar='WHERE', help='where the accounts are: a file, the URL of a database, or '
                         f'module:name of an object in your app (default: DOTLATCH_USERS in the environment; {USERS})')
    command.add_argument('--users-table', metavar='NAME', type=_name,
                         help='the name of their table, where it is another one')
    command.add_argument('--django', action='store_true', help='what is in the database is of a Django project')


def add_keys_option(command: Any) -> None:
    """Add where the keys are."""
    command.add_argument('--keys', metavar='WHERE', help='where the keys are: a file, the URL of a database, or '
                         f'module:name of an object in your app (default: DOTLATCH_KEYS in the environment; {KEYS})')
    command.add_argument('--keys-table', metavar='NAME', type=_name, default='dotlatch_keys',
                         help="the name of SQLAlchemyKeys's table (default: dotlatch_keys)")


def add_store_option(command: Any) -> None:
    """Add where the sessions are."""
    command.add_argument('--store', metavar='WHERE', help='where the sessions are: a folder, the URL of a Redis or a '
                         'database, or module:name of an object in your app (default: DOTLATCH_STORE in the '
                         'environment)')
    command.add_argument('--prefix', default='dotlatch:', help="RedisStore's prefix (default: dotlatch:)")
    command.add_argument('--table', metavar='NAME', type=_name,
                         help="the name of SQLAlchemyStore's table, or of Django's, where it is another one")


def _name(text: str) -> str:
    """A type of argument: what a variable of a script holds that was set."""
    if not text:
        raise argparse.ArgumentTypeError('a name')
    return text


def _store_address(args: argparse.Namespace) -> str:
    """Return the store's; Django has sessions where its users are."""
    return _address(args, 'store', _address(args, 'users', USERS) if args.django else '')


def _address(args: argparse.Namespace, option: str, default: str = '') -> str:
    variable = 'DOTLATCH_' + option.upper()
    given = getattr(args, option)
    if given is None:
        kept = os.environ.get(variable) or default
        if not kept:
            raise Trouble(f'say where the sessions are: with --{option}, or in {variable} of the environment')
        return kept
    address = str(given)
    if '://' in address and _has_password(address):
        raise Trouble(f'everybody on this machine can see that password: put the address into {variable} of the '
                      'environment')
    return address


def _has_password(address: str) -> bool:
    if _PASSWORD.search(address):
        return True
    try:
        return any('pass' in name for name in parse_qs(urlsplit(address).query))
    except ValueError:
        raise Trouble('that address cannot be read') from None


def users_place(args: argparse.Namespace) -> str:
    """Return what people are told of where the accounts are: no address, which may have a password in it."""
    return _place(_address(args, 'users', USERS))


def keys_place(args: argparse.Namespace) -> str:
    """Return the same of the keys."""
    return _place(_address(args, 'keys', KEYS))


def _place(address: str) -> str:
    return 'the database' if '://' in address else address


# --- accounts ---------------------------------------------------------------------------------------

def open_users(args: argparse.Namespace, is_new: bool = False, max_users: 'int | None' = None,
               digest: Any = None) -> Any:
    """Return the users.

    :param is_new: there need not be any yet.
    """
    address = _address(args, 'users', USERS)
    if _OBJECT.fullmatch(address) or '://' in address:
        if max_users is not None:
            raise Trouble('--max-users is for a file: a database has no such limit')
        if _OBJECT.fullmatch(address):
            _is_of_a_url(args.django or args.users_table or digest, '--django, --users-table and --realm')
            return args.visit.closing(_object(address, 'get_by_name'))
        return _made(args, _database(args, address, _users_of, digest))
    _is_of_a_url(args.django or args.users_table, '--django and --users-table')
    _check_file(address, '--users', is_new)
    try:
        return FileUsers(address, max_users=1000 if max_users is None else max_users, digest=digest)
    except ValueError as error:
        raise Trouble(str(error)) from None


def _users_of(args: argparse.Namespace, url: Any, digest: Any) -> Any:
    from sqlalchemy import MetaData
    if not args.django:
        from ..sqlalchemy_users import SQLAlchemyUsers
        from ..usertable import users_table
        table = users_table(MetaData(), args.users_table or 'dotlatch_users')
        return SQLAlchemyUsers(url, table, timeout=_TIMEOUT, digest=digest)
    if digest is not None:
        raise Trouble('Django keeps nothing for Digest: leave --realm away')
    default = passwords.ITERATIONS
    if getattr(args, 'iterations', default) != default:
        raise Trouble('Django has a cost of its own for hashes: leave --iterations away')
    from ..django_tables import users_table as django_table
    from ..django_users import DjangoUsers
    return DjangoUsers(url, django_table(MetaData(), args.users_table or 'auth_user'), timeout=_TIMEOUT)


def find_user(args: argparse.Namespace, users: Any, name: str) -> Any:
    """Return the user of that name; Refused when there is none."""
    user = args.visit.ask(users.get_by_name, name)
    if user is None:
        raise Refused(f'there is no user {name} in {users_place(args)}')
    return user


# --- API keys ---------------------------------------------------------------------------------------

def open_keys(args: argparse.Namespace, is_new: bool = False, max_keys: 'int | None' = None,
              **options: Any) -> Any:
    """Return the keys.

    :param is_new: there need not be any yet.
    """
    address = _address(args, 'keys', KEYS)
    if _OBJECT.fullmatch(address):
        return args.visit.closing(_object(address, 'find'))
    if '://' in address:
        if max_keys is not None:
            raise Trouble('--max-keys is for a file: a database has no such limit')
        return _made(args, _database(args, address, _keys_of, options))
    _check_file(address, '--keys', is_new)
    try:
        return FileKeys(address, max_keys=100 if max_keys is None else max_keys, **options)
    except ValueError as error:  # a damaged file, or a prefix that cannot be one
        raise Trouble(str(error)) from None


def _keys_of(args: argparse.Namespace, url: Any, options: 'dict[str, Any]') -> Any:
    from sqlalchemy import MetaData

    from ..sqlalchemy_keys import SQLAlchemyKeys, keys_table
    return SQLAlchemyKeys(url, keys_table(MetaData(), args.keys_table), timeout=_TIMEOUT, **options)


# --- sessions ---------------------------------------------------------------------------------------

def open_store(args: argparse.Namespace) -> Any:
    """Return the store."""
    address = _store_address(args)
    if _OBJECT.fullmatch(address):
        return args.visit.closing(_object(address, 'list_user'))
    scheme, is_url, _ = address.partition('://')
    if args.django and (not is_url or scheme in _REDIS):
        raise Trouble("Django's sessions are read from its database: give --store its URL")
    if not is_url:
        return _open_folder(address)
    if scheme in _REDIS:
        return args.visit.closing(_open_redis(address, args.prefix))
    return args.visit.closing(_database(args, address, _store_of))


def is_in_an_app(args: argparse.Namespace) -> bool:
    """Tell whether the store is an object of an app, which has ids of its own kind."""
    return _OBJECT.fullmatch(_store_address(args)) is not None


def _open_folder(path: str) -> FileStore:
    names = os.listdir(path)
    if '.lock' not in names and not any(is_session_id(name) for name in names):
        raise Trouble(f'{path} is not a folder of sessions')
    for name in names:
        _check_owner(os.path.join(path, name))
    return FileStore(path)


def _open_redis(address: str, prefix: str) -> Any:
    with _in_words():
        from ..redis import RedisStore
        try:
            return RedisStore(address, prefix=prefix, timeout=_TIMEOUT)
        except ValueError:  # it may quote the password
            raise Trouble('that address is none of a Redis, such as redis://127.0.0.1:6379/0') from None


def _store_of(args: argparse.Namespace, url: Any) -> Any:
    from sqlalchemy import MetaData
    if not args.django:
        from ..sqlalchemy import SQLAlchemyStore, sessions_table
        return SQLAlchemyStore(url, sessions_table(MetaData(), args.table or 'dotlatch_sessions'), _TIMEOUT)
    keys = os.environ.get(_SECRET_KEY, '').split('\n')
    if not keys[0]:
        raise Trouble(f"put Django's SECRET_KEY into {_SECRET_KEY} of the environment: its sessions are signed with it")
    from ..django_sessions import DjangoSessions
    from ..django_tables import sessions_table as django_table
    table = django_table(MetaData(), args.table or 'django_session')
    return DjangoSessions(_users_of(args, url, None), keys, table=table)


# --- databases, objects, files ----------------------------------------------------------------------

def _database(args: argparse.Namespace, address: str, make: 'Callable[..., Any]', *given: Any) -> Any:
    """Return what is made of a database's URL; Trouble for an address that is none."""
    with _in_words():
        from ..database import read_url
        try:
            url = read_url(address)
            made = make(args, url, *given)
        except ValueError as error:
            raise Trouble(str(error)) from None
    if url.get_backend_name() == 'sqlite':
        path = str(url.database)
        if not os.path.exists(path) and not getattr(args, 'create', False):
            raise Trouble(f'there is no {path}')
        _check_owner(path)
    return made


def _made(args: argparse.Namespace, opened: Any) -> Any:
    """Return the same, with its table where that was asked for."""
    args.visit.closing(opened)
    if getattr(args, 'create', False):
        if not hasattr(opened, 'create_all'):
            raise Trouble('Django makes its tables itself: leave --create away')
        args.visit.ask(opened.create_all)
    return opened


def _object(address: str, method: str) -> Any:
    """Return the object of an app that ``module:name`` names; Trouble unless it has this method."""
    module_name, _, name = address.partition(':')
    sys.path.insert(0, os.getcwd())  # as for `python -m`
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + '.').startswith(error.name + '.'):
            raise
        raise Trouble(f'there is no module {module_name} here') from None
    for part in name.split('.'):
        if not hasattr(found, part):
            raise Trouble(f'there is no {name} in the module {module_name}')
        found = getattr(found, part)
    if not hasattr(found, method):
        raise Trouble(f'{address} is none of these: it has no {method}')
    return found


def _is_of_a_url(given: object, options: str) -> None:
    if given:
        raise Trouble(f'{options} are for the URL of a database')


def _check_file(path: str, option: str, is_new: bool) -> None:
    """Raise Trouble when there is no such file, or it is somebody else's."""
    file = followed(path)
    if file != path and hasattr(os, 'geteuid') and not os.geteuid() and os.lstat(path).st_uid:
        raise Trouble(f"{path} is a link that somebody else has made, and root would write where it leads: name the "
                      f"file itself, {file}, or run this as the app's user, with sudo -u")
    there = [file + end for end in ('', copies.COPY, files.OLD) if os.path.exists(file + end)]
    if not there and not is_new:
        raise Trouble(f'there is no {path}: name the file with {option}')
    for name in there or [file]:
        _check_owner(name)


def _check_owner(path: str) -> None:
    """Raise Trouble for what belongs to another user of this machine, or would, if root were to make it.

    Files are replaced whole: root's new one would be root's alone, and the app could not read it any more.
    """
    if not hasattr(os, 'geteuid'):  # on Windows it is the folder that says who may read its files
        return
    try:
        owner = os.stat(path).st_uid
    except FileNotFoundError:  # it will be made; or it was a session, which the app has ended in this moment
        if os.geteuid():
            return
        path = os.path.dirname(path) or '.'
        owner = os.stat(path).st_uid
    if owner == os.geteuid():
        return
    from pwd import getpwuid
    try:
        name = getpwuid(owner).pw_name
    except KeyError:
        name = f"'#{owner}'"
    raise Trouble(f'{path} belongs to {name}: run this as that user, with sudo -u {name}, or the app would not be '
                  'able to read it afterwards')

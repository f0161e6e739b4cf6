"""``dotlatch sessions ...``: where a user is logged in, in a store that keeps sessions.

A store is a folder, a Redis or a database. Its address may be in the environment: one that has a password in it has to
be, since everybody on the machine sees a program's arguments.
"""
import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ...stores import FileStore, is_session_id
from ..errors import StoreUnavailable
from .options import add_owner, check_owner, leaf, owner_of
from .talk import Answer, Refused, Trouble, moment, table

VARIABLE = 'DOTLATCH_STORE'
_REDIS = ('redis', 'rediss', 'unix')


def add_to(commands: Any) -> None:
    """Add these commands."""
    sessions = commands.add_parser('sessions', help='where a user is logged in',
                                   description='Where a user is logged in, in a store that keeps sessions.')
    verbs = sessions.add_subparsers(metavar='COMMAND', dest='verb', required=True)
    end = leaf(verbs, 'end', end_sessions, 'end all sessions of a user, or one of them')
    end.add_argument('--session', metavar='ID', help='end this one alone; its id is in the list')
    for command in (end, leaf(verbs, 'list', list_sessions, 'show the sessions of a user')):
        add_owner(command)
        command.add_argument('--store', metavar='STORE', help='a folder, or the URL of a Redis or a database; without '
                             f'it {VARIABLE} of the environment says where')
        command.add_argument('--prefix', default='dotlatch:', help="RedisStore's prefix (default: dotlatch:)")
        command.add_argument('--table', default='dotlatch_sessions',
                             help="the name of SQLAlchemyStore's table (default: dotlatch_sessions)")


def list_sessions(args: argparse.Namespace) -> Answer:
    """Show them, the one used last first."""
    owner = owner_of(args)
    found = [_public(session_id, record) for session_id, record in _ask(args, lambda store: store.list_user(owner))]
    rows = [(one['id'], one['kind'], moment(one['began']), moment(one['seen']), moment(one['ends']),
             one['source'] or '', one['client'] or '') for one in found]
    return Answer({'sessions': found}, table(('ID', 'KIND', 'BEGAN', 'SEEN', 'ENDS', 'FROM', 'CLIENT'), rows))


def end_sessions(args: argparse.Namespace) -> Answer:
    """End them."""
    owner = owner_of(args)

    async def end_one(store: Any) -> int:
        record = await store.load(args.session)
        if record is None or type(record.get('user')) is not type(owner) or record['user'] != owner:
            raise Refused('that user has no session of that id: `dotlatch sessions list` shows them')
        await store.delete(args.session)
        return 1

    if args.session is not None and not is_session_id(args.session):
        raise Trouble('the id of a session is 22 characters, which `dotlatch sessions list` shows')
    count = _ask(args, (lambda store: store.delete_user(owner)) if args.session is None else end_one)
    return Answer({'ended': count}, [f'{count} ended'])


def _public(session_id: str, record: 'dict[str, Any]') -> 'dict[str, Any]':
    """Return what is no secret of a session: its id opens nothing without what the cookie has beside it."""
    return {'id': session_id, 'kind': record.get('kind', 'session'), 'began': record.get('iat'),
            'seen': record.get('seen'), 'ends': record.get('exp'), 'source': record.get('source'),
            'client': record.get('client')}


# --- stores -----------------------------------------------------------------------------------------

def _ask(args: argparse.Namespace, question: 'Callable[[Any], Awaitable[Any]]') -> Any:
    async def ask() -> Any:
        store = _open(args)
        try:
            return await question(store)
        finally:
            if hasattr(store, 'close'):
                await store.close()

    try:
        return asyncio.run(ask())
    except ModuleNotFoundError as error:
        package = str(error.name).partition('.')[0]
        extra = 'redis' if package == 'redis' else 'sqlalchemy'
        raise Trouble(f"{package} is not installed: pip install 'dotlatch[{extra}]'") from None
    except StoreUnavailable as error:
        raise Trouble(f'{error}. See that the server runs, and that address, password and table are right') from None


def _open(args: argparse.Namespace) -> Any:
    address = _address(args)
    scheme, is_url, _ = address.partition('://')
    if not is_url:
        return _open_folder(address)
    return _open_redis(address, args.prefix) if scheme in _REDIS else _open_database(address, args.table)


def _address(args: argparse.Namespace) -> str:
    if args.store is None:
        kept = os.environ.get(VARIABLE)
        if not kept:
            raise Trouble(f'say where the sessions are: with --store, or in {VARIABLE} of the environment')
        return kept
    address = str(args.store)
    if '://' in address and _has_password(address):
        raise Trouble(f'everybody on this machine can see that password: put the address into {VARIABLE} of the '
                      'environment')
    return address


def _has_password(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.password is not None or any('pass' in name for name in parse_qs(parts.query))
    except ValueError:
        raise Trouble('that address cannot be read') from None


def _open_folder(path: str) -> FileStore:
    names = os.listdir(path)
    if '.lock' not in names and not any(is_session_id(name) for name in names):
        raise Trouble(f'{path} is not a folder of sessions')
    for name in names:
        check_owner(os.path.join(path, name))
    return FileStore(path)


def _open_redis(address: str, prefix: str) -> Any:
    from ..redis import RedisStore
    try:
        return RedisStore(address, prefix=prefix)
    except ValueError:  # it may quote the password
        raise Trouble('that address is none of a Redis, such as redis://127.0.0.1:6379/0') from None


def _open_database(address: str, table_name: str) -> Any:
    from sqlalchemy import MetaData, make_url
    from sqlalchemy.exc import ArgumentError

    from ..sqlalchemy import SQLAlchemyStore, sessions_table
    try:
        url = make_url(address)
        store = SQLAlchemyStore(url, sessions_table(MetaData(), table_name))
    except ArgumentError:  # it may quote the password
        raise Trouble('that address is none that SQLAlchemy reads, such as postgresql+asyncpg://app@host/app') from None
    except ValueError as error:
        raise Trouble(str(error)) from None
    if url.get_backend_name() == 'sqlite' and not os.path.exists(str(url.database)):
        raise Trouble(f'there is no {url.database}')
    return store

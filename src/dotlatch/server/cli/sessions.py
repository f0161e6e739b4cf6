"""``dotlatch sessions ...``: where a user is logged in, in a store that keeps sessions."""
import argparse
from typing import Any

from ...identity import is_same_id
from ...stores import is_session_id
from .options import add_owner, leaf, owner_of
from .places import add_store_option, is_in_an_app, open_store
from .talk import Answer, Refused, Trouble, moment, table


def add_to(commands: Any) -> None:
    """Add these commands."""
    sessions = commands.add_parser('sessions', help='where a user is logged in',
                                   description='Where a user is logged in, in a store that keeps sessions.')
    verbs = sessions.add_subparsers(metavar='COMMAND', dest='verb', required=True)
    end = leaf(verbs, 'end', end_sessions, 'end all sessions of a user, or one of them')
    end.add_argument('--session', metavar='ID', help='end this one alone; its id is in the list')
    for command in (end, leaf(verbs, 'list', list_sessions, 'show the sessions of a user')):
        add_owner(command)
        add_store_option(command)


def list_sessions(args: argparse.Namespace) -> Answer:
    """Show them, the one used last first."""
    owner = owner_of(args)
    listed = args.visit.ask(open_store(args).list_user, owner)
    found = [_public(session_id, record) for session_id, record in listed]
    rows = [(one['id'], one['kind'], moment(one['began']), moment(one['seen']), moment(one['ends']),
             one['source'] or '', one['client'] or '') for one in found]
    return Answer({'sessions': found}, table(('ID', 'KIND', 'BEGAN', 'SEEN', 'ENDS', 'FROM', 'CLIENT'), rows))


def end_sessions(args: argparse.Namespace) -> Answer:
    """End them."""
    if args.session is not None and not is_session_id(args.session) and not is_in_an_app(args):
        raise Trouble('the id of a session is 22 characters, which `dotlatch sessions list` shows')
    owner = owner_of(args)
    store = open_store(args)
    if args.session is None:
        count = args.visit.ask(store.delete_user, owner)
    else:
        count = _end_one(args, store, owner)
    return Answer({'ended': count}, [f'{count} ended'])


def _end_one(args: argparse.Namespace, store: Any, owner: 'str | int') -> int:
    record = args.visit.ask(store.load, args.session)
    found = [args.session] if record is not None and is_same_id(record.get('user'), owner) else []
    if record is None:  # Django's are known by what the list gives
        found = [one for one, _ in args.visit.ask(store.list_user, owner) if one == args.session]
    if not found:
        raise Refused('that user has no session of that id: `dotlatch sessions list` shows them')
    args.visit.ask(store.delete, found[0])
    return 1


def _public(session_id: str, record: 'dict[str, Any]') -> 'dict[str, Any]':
    """Return what is no secret of a session: its id opens nothing without what the cookie has beside it."""
    return {'id': session_id, 'kind': record.get('kind', 'session'), 'began': record.get('iat'),
            'seen': record.get('seen'), 'ends': record.get('exp'), 'source': record.get('source'),
            'client': record.get('client')}

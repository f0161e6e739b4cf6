"""``dotlatch keys ...``: API keys in a file or a database, also while an app uses them."""
import argparse
import time
from typing import Any

from ...apikeys import APIKey
from .options import add_owner, add_page, leaf, more, number, owner_of, words
from .places import add_keys_option, keys_place, open_keys
from .talk import Answer, Refused, Trouble, moment, table

_DAY = 24 * 3600


def add_to(commands: Any) -> None:
    """Add these commands."""
    keys = commands.add_parser('keys', help='API keys', description='API keys.')
    verbs = keys.add_subparsers(metavar='COMMAND', dest='verb', required=True)
    add = leaf(verbs, 'add', add_key, 'make a key for a user, and show it this once')
    add_owner(add)
    add.add_argument('name', metavar='NAME', help='what the key is for')
    add.add_argument('--scopes', type=words, default=[], help='what it may be used for: words with commas')
    add.add_argument('--days', metavar='N', type=number(1, 36500), help='how long it lasts (default: for good)')
    add.add_argument('--prefix', default='dl', help='what it begins with (default: dl); as the app has it')
    add.add_argument('--max-keys', metavar='N', type=number(1, 1000000),
                     help='how many there may be in a file (default: 100)')
    add.add_argument('--max-per-user', metavar='N', type=number(1, 1000), default=20,
                     help='how many a user may have (default: 20)')
    add.add_argument('--create', action='store_true', help='make the table in the database, unless it is there')
    revoke = leaf(verbs, 'revoke', revoke_key, 'end a key')
    revoke.add_argument('key_id', metavar='ID', help='the id of the key, which the list shows')
    list_ = leaf(verbs, 'list', list_keys, 'show the keys, without their secrets')
    add_page(list_, 'ID')
    for command in (add, revoke, list_):
        add_keys_option(command)


def add_key(args: argparse.Namespace) -> Answer:
    """Make one. Its text is in the answer and nowhere else."""
    owner = owner_of(args)
    keys = open_keys(args, is_new=True, prefix=args.prefix, max_keys=args.max_keys, max_per_user=args.max_per_user)
    expires = int(time.time()) + args.days * _DAY if args.days else None
    try:
        text = args.visit.ask(keys.create, owner, args.name, args.scopes, expires)
    except ValueError as error:
        raise Refused(str(error)) from None
    key_id = text.split('_')[1]
    result = {'key': text, 'id': key_id, 'user_id': owner, 'name': args.name, 'scopes': args.scopes,
              'expires': expires}
    return Answer(result, [text], undo=lambda: args.visit.ask(keys.revoke, key_id))


def revoke_key(args: argparse.Namespace) -> Answer:
    """End one."""
    if '_' in args.key_id:
        raise Trouble('that is a whole key: give its middle part alone, between the two _')
    if not args.visit.ask(open_keys(args).revoke, args.key_id):
        raise _unknown(args)
    return Answer({'id': args.key_id, 'revoked': True}, ['the key is revoked'])


def list_keys(args: argparse.Namespace) -> Answer:
    """Show them, by name."""
    keys = open_keys(args)
    listed = _of_a_table(args, keys) if hasattr(keys, 'list_keys') else _of_a_file(args, keys)
    found = [_public(key) for key in listed[:args.limit]]
    following = found[-1]['id'] if len(listed) > args.limit else None
    rows = [(key['name'], key['id'], str(key['user_id']), ','.join(key['scopes']), moment(key['created']),
             moment(key['last_used']), moment(key['expires'])) for key in found]
    head = ('NAME', 'ID', 'USER', 'SCOPES', 'CREATED', 'LAST USED', 'EXPIRES')
    return Answer({'keys': found, 'next': following}, [*table(head, rows), *more(following)])


def _of_a_table(args: argparse.Namespace, keys: Any) -> 'list[APIKey]':
    """Return one more than are shown, if there is one."""
    after = None if args.after is None else args.visit.ask(keys.find, args.after)
    if after is None and args.after is not None:
        raise _unknown(args)
    listed: 'list[APIKey]' = args.visit.ask(keys.list_keys, after, args.limit)
    if len(listed) == args.limit:
        listed += args.visit.ask(keys.list_keys, listed[-1], 1)
    return listed


def _of_a_file(args: argparse.Namespace, keys: Any) -> 'list[APIKey]':
    listed = list(keys)
    if args.after is None:
        return listed
    ids = [key.id for key in listed]
    if args.after not in ids:
        raise _unknown(args)
    return listed[ids.index(args.after) + 1:]


def _unknown(args: argparse.Namespace) -> Refused:
    return Refused(f'there is no key of that id in {keys_place(args)}: `dotlatch keys list` shows them')


def _public(key: APIKey) -> 'dict[str, Any]':
    """Return what is no secret of a key."""
    return {'name': key.name, 'id': key.id, 'user_id': key.user_id, 'scopes': key.scopes, 'created': key.created,
            'last_used': key.last_used, 'expires': key.expires, 'is_expired': key.is_expired()}

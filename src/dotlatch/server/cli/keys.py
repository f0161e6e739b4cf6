"""``dotlatch keys ...``: the API keys of a :class:`dotlatch.apikeys.FileKeys`, also while an app uses them."""
import argparse
import time
from typing import Any

from ...apikeys import APIKey, FileKeys
from .options import add_owner, check_file, leaf, number, owner_of, words
from .talk import Answer, Refused, Trouble, moment, table

KEYS = 'keys.json'
_DAY = 24 * 3600


def add_to(commands: Any) -> None:
    """Add these commands."""
    keys = commands.add_parser('keys', help='the API keys in a file', description='The API keys in a file.')
    verbs = keys.add_subparsers(metavar='COMMAND', dest='verb', required=True)
    add = leaf(verbs, 'add', add_key, 'make a key for a user, and show it this once')
    add_owner(add)
    add.add_argument('name', metavar='NAME', help='what the key is for')
    add.add_argument('--scopes', type=words, default=[], help='what it may be used for: words with commas')
    add.add_argument('--days', metavar='N', type=number(1, 36500), help='how long it lasts (default: for good)')
    add.add_argument('--prefix', default='dl', help='what it begins with (default: dl); as FileKeys has it')
    add.add_argument('--max-keys', metavar='N', type=number(1, 1000000), default=100,
                     help='how many there may be (default: 100)')
    revoke = leaf(verbs, 'revoke', revoke_key, 'end a key')
    revoke.add_argument('key_id', metavar='ID', help='the id of the key, which the list shows')
    for command in (add, revoke, leaf(verbs, 'list', list_keys, 'show all keys, without their secrets')):
        command.add_argument('--file', metavar='FILE', default=KEYS, help=f'the keys file (default: {KEYS})')


def add_key(args: argparse.Namespace) -> Answer:
    """Make one. Its text is in the answer and nowhere else."""
    owner = owner_of(args)
    keys = _open(args.file, is_new=True, prefix=args.prefix, max_keys=args.max_keys)
    expires = int(time.time()) + args.days * _DAY if args.days else None
    try:
        text = keys.create(owner, args.name, args.scopes, expires)
    except ValueError as error:
        raise Refused(str(error)) from None
    key_id = text.split('_')[1]
    result = {'key': text, 'id': key_id, 'user_id': owner, 'name': args.name, 'scopes': args.scopes,
              'expires': expires}
    return Answer(result, [text], undo=lambda: keys.revoke(key_id))


def revoke_key(args: argparse.Namespace) -> Answer:
    """End one."""
    if '_' in args.key_id:
        raise Trouble('that is a whole key: give its middle part alone, between the two _')
    if not _open(args.file).revoke(args.key_id):
        raise Refused(f'there is no key of that id in {args.file}: `dotlatch keys list` shows them')
    return Answer({'id': args.key_id, 'revoked': True}, ['the key is revoked'])


def list_keys(args: argparse.Namespace) -> Answer:
    """Show all of them, by name."""
    found = [_public(key) for key in _open(args.file)]
    rows = [(key['name'], key['id'], str(key['user_id']), ','.join(key['scopes']), moment(key['created']),
             moment(key['last_used']), moment(key['expires'])) for key in found]
    return Answer({'keys': found}, table(('NAME', 'ID', 'USER', 'SCOPES', 'CREATED', 'LAST USED', 'EXPIRES'), rows))


def _open(path: str, is_new: bool = False, **options: Any) -> FileKeys:
    check_file(path, '--file', is_new)
    try:
        return FileKeys(path, **options)
    except ValueError as error:  # a damaged file, or a prefix that cannot be one
        raise Trouble(str(error)) from None


def _public(key: APIKey) -> 'dict[str, Any]':
    """Return what is no secret of a key."""
    return {'name': key.name, 'id': key.id, 'user_id': key.user_id, 'scopes': key.scopes, 'created': key.created,
            'last_used': key.last_used, 'expires': key.expires, 'is_expired': key.is_expired()}

"""``dotlatch secret``, ``hash`` and ``verify``: what needs no store."""
import argparse
import asyncio
import os
from typing import Any

from ... import files, passwords
from .options import leaf, number
from .talk import DONE, NO, Answer, Refused, Trouble, read_new_password, read_password

LEAST = 1000        # iterations: SP 800-132 section 5.2
KEY_SIZE = 32       # bytes
_HASH_FILE = 4096   # bytes


def add_to(commands: Any) -> None:
    """Add these commands."""
    secret = leaf(commands, 'secret', make_secret, 'make a secret key')
    secret.add_argument('--file', metavar='FILE', help='write it to a new file, for the owner alone to read')
    hash_ = leaf(commands, 'hash', make_hash, 'hash a password that is typed or piped in')
    add_iterations(hash_)
    verify = leaf(commands, 'verify', verify_hash, 'tell whether a password is the one that was hashed')
    verify.add_argument('hash', metavar='HASH', nargs='?', help="the hash, in single quotes: it has a $ in it")
    verify.add_argument('--hash-file', metavar='FILE', help='a file that holds the hash instead')


def add_iterations(command: Any) -> None:
    """Add the cost of a hash: what a board can bear is far below what a server should have."""
    command.add_argument(
        '--iterations', metavar='N', type=number(LEAST, passwords.MAX_ITERATIONS), default=passwords.ITERATIONS,
        help=f'the cost of the hash (default: {passwords.ITERATIONS}; for a Pico, 10000)')


def make_secret(args: argparse.Namespace) -> Answer:
    """32 random bytes in hexadecimal, shown or written."""
    key = os.urandom(KEY_SIZE).hex()
    if args.file is None:
        return Answer({'secret': key}, [key])
    written = key.encode()
    if files.load_or_create(args.file, lambda: written) is not written:
        raise Refused(f'{args.file} is there already, and was left as it is: name another file, or move it away')
    return Answer({'file': args.file}, [f'a new key is in {args.file}'])


def make_hash(args: argparse.Namespace) -> Answer:
    """A hash of any password, also of a weak one."""
    password = read_new_password(lambda password: None)
    hashed = asyncio.run(passwords.hash_password(password, args.iterations))
    return Answer({'hash': hashed}, [hashed])


def verify_hash(args: argparse.Namespace) -> Answer:
    """Right or wrong; Trouble for a hash that no password could match."""
    hashed = _given_hash(args)
    if passwords.check_of(hashed) is None:
        raise Trouble('this is no hash that is read here. In a shell it needs single quotes, because of its $')
    is_right = asyncio.run(passwords.verify_password(read_password(), hashed))
    result = {'right': is_right, 'needs_rehash': passwords.needs_rehash(hashed)}
    return Answer(result, ['right' if is_right else 'wrong'], DONE if is_right else NO)


def _given_hash(args: argparse.Namespace) -> str:
    given = [source for source in (args.hash, args.hash_file) if source is not None]
    if len(given) != 1:
        raise Trouble('give one hash: as an argument in single quotes, or with --hash-file')
    if args.hash is not None:
        return str(args.hash)
    with open(args.hash_file, 'rb') as file:
        return file.read(_HASH_FILE).decode('utf-8-sig', 'replace').strip()

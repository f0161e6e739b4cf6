"""New password hashes as a Django project makes them: PBKDF2, argon2, bcrypt_sha256 or scrypt, at Django's cost.

Needs passwords.py, hashers.py and portable.py; argon2-cffi or bcrypt for hashes of those kinds. Hashes of all kinds are
verified by passwords.py, whatever a project makes today::

    hasher = hasher_named('pbkdf2_sha256')       # at the cost of the Django that is installed, or else of 5.2
    hashed = await hasher.make(password)
    hasher.is_weak(hashed)                       # False

Both sides have to make the same: a hash that one makes anew is another one, and ends the sessions of the user that the
old one opened. So only what is weaker is made anew, and never what costs more than ours.
"""
import base64
import hashlib
import os
import secrets
from typing import Any, Protocol

from .. import passwords
from ..portable import in_thread

_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
_BCRYPT = './' + _ALPHABET


class Hasher(Protocol):
    """What :class:`dotlatch.server.django_users.DjangoUsers` asks of a hasher."""
    async def make(self, password: str) -> str:
        """Return the hash of a new password; ValueError for what cannot be one."""

    def is_weak(self, hashed: str) -> bool:
        """Tell whether a hash is to be made anew."""

    def decoy(self) -> str:
        """Return a hash that no password opens, and that costs as much: for users who are not there."""


def hasher_named(name: str = 'pbkdf2_sha256', **costs: int) -> Hasher:
    """Return the hasher of that name, which is the first word of its hashes.

    :param costs: of ``pbkdf2_sha256``: iterations; of ``argon2``: time_cost, memory_cost, parallelism; of
        ``bcrypt_sha256``: rounds; of ``scrypt``: work_factor, block_size, parallelism. Those of Django unless given.
    :raises ValueError: for another name or cost.
    """
    if name not in _KINDS:
        raise ValueError('the hashers are ' + ', '.join(_KINDS))
    kind, django_name, defaults = _KINDS[name]
    unknown = sorted(set(costs) - set(defaults))
    if unknown:
        raise ValueError(f'{name} has no {unknown[0]}')
    if any(type(cost) is not int for cost in costs.values()):
        raise ValueError('a cost is an int')
    known = _installed(django_name)
    hasher: Hasher = kind(*[costs.get(cost, getattr(known, cost, defaults[cost])) for cost in defaults])
    if passwords.check_of(hasher.decoy()) is None:
        raise ValueError(f'{name} needs a package that is not there, or would cost more than is ever computed')
    return hasher


def _installed(name: str) -> Any:
    try:
        # It needs no settings for this.
        from django.contrib.auth import hashers  # type: ignore[import-untyped]  # Django has no types
    except ImportError:
        return None
    return getattr(hashers, name, None)


class Pbkdf2:
    """PBKDF2-HMAC-SHA256: Django's default."""
    def __init__(self, iterations: int) -> None:
        self.iterations = iterations

    async def make(self, password: str) -> str:
        return await passwords.hash_password(password, self.iterations)

    def is_weak(self, hashed: str) -> bool:
        return passwords.needs_rehash(hashed, self.iterations)

    def decoy(self) -> str:
        return f'pbkdf2_sha256${self.iterations}${_salt()}${base64.b64encode(os.urandom(32)).decode()}'


class Argon2:
    """argon2id (RFC 9106), with argon2-cffi."""
    def __init__(self, time_cost: int, memory_cost: int, parallelism: int) -> None:
        self.costs = time_cost, memory_cost, parallelism

    async def make(self, password: str) -> str:
        from argon2 import low_level
        made: bytes = await _run(low_level.hash_secret, _secret(password), _salt().encode(), *self.costs, 32,
                                 low_level.Type.ID)
        return 'argon2' + made.decode()

    def is_weak(self, hashed: str) -> bool:
        if not hashed.startswith('argon2$argon2id$'):
            return True
        memory, passes = [int(cost[2:]) for cost in hashed.split('$')[3].split(',')[:2]]
        return memory < self.costs[1] or passes < self.costs[0]

    def decoy(self) -> str:
        passes, memory, lanes = self.costs
        salt, digest = _unpadded(_salt().encode()), _unpadded(os.urandom(32))
        return f'argon2$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${digest}'


class BcryptSha256:
    """bcrypt over SHA-256, with bcrypt."""
    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    async def make(self, password: str) -> str:
        import bcrypt
        secret = hashlib.sha256(_secret(password)).hexdigest().encode()
        made: bytes = await _run(bcrypt.hashpw, secret, bcrypt.gensalt(self.rounds))
        return 'bcrypt_sha256$' + made.decode()

    def is_weak(self, hashed: str) -> bool:
        return not hashed.startswith('bcrypt_sha256$') or int(hashed.split('$')[3]) < self.rounds

    def decoy(self) -> str:
        # The last character of a salt stands for two bits, and of a digest for four.
        text = ''.join([secrets.choice(_BCRYPT) for _ in range(51)])
        return f'bcrypt_sha256$$2b${self.rounds:02d}${text[:21]}.{text[21:]}.'


class Scrypt:
    """scrypt (RFC 7914)."""
    def __init__(self, work_factor: int, block_size: int, parallelism: int) -> None:
        self.costs = work_factor, block_size, parallelism

    async def make(self, password: str) -> str:
        salt = _salt()
        digest = await _run(_derive_scrypt, _secret(password), salt.encode(), *self.costs)
        return self._text(salt, digest)

    def _text(self, salt: str, digest: bytes) -> str:
        n, r, p = self.costs
        return f'scrypt${n}${salt}${r}${p}${base64.b64encode(digest).decode()}'

    def is_weak(self, hashed: str) -> bool:
        if not hashed.startswith('scrypt$'):
            return True
        _, n, _, r, p, _ = hashed.split('$')
        ours, blocks, lanes = self.costs
        return int(n) * int(r) < ours * blocks or int(n) * int(r) * int(p) < ours * blocks * lanes

    def decoy(self) -> str:
        return self._text(_salt(), os.urandom(64))


def _derive_scrypt(secret: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2) + 4096)


async def _run(f: Any, *arguments: Any) -> Any:
    return await in_thread(f, *arguments)  # type: ignore[misc]  # CPython has threads


def _secret(password: str) -> bytes:
    if not isinstance(password, str):
        raise TypeError('a password is a str')
    if not passwords.is_password(password):
        raise ValueError(f'a password is text of 1 to {passwords.MAX_PASSWORD} bytes that does not end with a NUL')
    return password.encode()


def _salt() -> str:
    """Return 22 letters and digits: 128 bits, below which Django makes a hash anew."""
    return ''.join([secrets.choice(_ALPHABET) for _ in range(22)])


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip('=')


_KINDS: 'dict[str, tuple[Any, str, dict[str, int]]]' = {
    'pbkdf2_sha256': (Pbkdf2, 'PBKDF2PasswordHasher', {'iterations': 1000000}),
    'argon2': (Argon2, 'Argon2PasswordHasher', {'time_cost': 2, 'memory_cost': 102400, 'parallelism': 8}),
    'bcrypt_sha256': (BcryptSha256, 'BCryptSHA256PasswordHasher', {'rounds': 12}),
    'scrypt': (Scrypt, 'ScryptPasswordHasher', {'work_factor': 16384, 'block_size': 8, 'parallelism': 5}),
}

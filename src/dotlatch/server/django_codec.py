"""What Django signs: the data of its sessions, and its users' passwords in them.

Needs portable.py and strictjson.py::

    keys = django_keys([SECRET_KEY, *SECRET_KEY_FALLBACKS])
    codec = DjangoCodec(keys)
    codec.decode(codec.encode({'cart': ['tea']}, 1795305600))    # ({'cart': ['tea']}, 1795305600)
    keys[0].stamp(user.password_hash)                            # _auth_user_hash

A text is JSON, compressed where that makes it shorter, in base64url, with the time and an HMAC-SHA256, as
django.core.signing has it since 3.1. The ``legacy`` one is base64 of an HMAC-SHA1 and JSON, which Django reads up to
3.2 and writes below 3.1.
"""
import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Sequence
from typing import Any

from .. import strictjson
from ..portable import Key, b64_decode, b64url_decode, b64url_encode, compare_digest

MAX_TEXT = 512 * 1024   # characters of a text, and bytes of JSON in it
SALT = 'django.contrib.sessions.SessionStore'
COOKIE_SALT = 'django.contrib.sessions.backends.signed_cookies'

_AUTH_SALT = 'django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash'
_LEGACY_SALT = 'django.contrib.sessionsSessionStore'
_DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'


class DjangoKey(Key):
    """A SECRET_KEY, which signs what Django does with it, and as a :class:`~dotlatch.portable.Key` our own tokens.

    :param secret: the text or bytes.
    :param legacy: ``True`` for hashes in sessions as Django has them below 3.1.
    """
    def __init__(self, secret: 'str | bytes', legacy: bool = False) -> None:
        text = secret.encode() if isinstance(secret, str) else secret
        if not text:
            raise ValueError('an empty SECRET_KEY signs nothing')
        super().__init__(hashlib.sha256(b'dotlatch' + text).digest())  # no token of ours is anything to Django
        self.size = len(text)
        self._text = text
        self._algorithm = 'sha1' if legacy else 'sha256'
        self._auth_key = self.derived(_AUTH_SALT, self._algorithm)

    def derived(self, salt: str, algorithm: str = 'sha256') -> bytes:
        """Return the key for one purpose, as Django's ``salted_hmac`` makes it."""
        return hashlib.new(algorithm, salt.encode() + self._text).digest()

    def stamp(self, hashed: str) -> str:
        """Return what binds a session to a password: Django's ``get_session_auth_hash()``."""
        return hmac.new(self._auth_key, hashed.encode(), self._algorithm).hexdigest()


def django_keys(secret_key: 'str | bytes | Sequence[str | bytes]', legacy: bool = False) -> 'list[DjangoKey]':
    """Return the keys of Django's SECRET_KEY, or of a list with it and SECRET_KEY_FALLBACKS."""
    given = [secret_key] if isinstance(secret_key, (str, bytes)) else list(secret_key or ())
    if not given:
        raise ValueError("give Django's SECRET_KEY")
    return [DjangoKey(secret, legacy) for secret in given]


class DjangoCodec:
    """Texts as Django's sessions have them.

    :param keys: what :func:`django_keys` returned: the first signs, all are accepted.
    :param salt: what the key is derived with.
    :param legacy: ``True`` to read the old encoding too, and write that.
    """
    def __init__(self, keys: 'list[DjangoKey]', salt: str = SALT, legacy: bool = False) -> None:
        self.legacy = legacy
        self._keys = [key.derived(salt + 'signer') for key in keys]
        self._legacy_keys = [key.derived(_LEGACY_SALT, 'sha1') for key in keys] if legacy else []

    def encode(self, content: 'dict[str, Any]', time: int) -> str:
        """Return the text of a session that is saved now.

        :raises TypeError: for data that JSON cannot carry.
        :raises ValueError: for more of it than would be read again.
        """
        strictjson.dumps(content)
        data = json.dumps(content, separators=(',', ':')).encode()  # ASCII: Django reads Latin-1
        text = self._encode_legacy(data) if self.legacy else self._encode(data, time)
        size = max(len(data), len(text))
        if size > MAX_TEXT:
            raise ValueError(f'the session would be {size} characters, {MAX_TEXT} fit: keep less in it')
        return text

    def _encode(self, data: bytes, time: int) -> str:
        packed = zlib.compress(data)
        text = '.' + b64url_encode(packed) if len(packed) < len(data) - 1 else b64url_encode(data)
        text += ':' + _base62(time)
        return text + ':' + self._signature(text, self._keys[0])

    def _encode_legacy(self, data: bytes) -> str:
        mac = _hmac(self._legacy_keys[0], data, 'sha1').hex().encode()
        return base64.b64encode(mac + b':' + data).decode()

    def decode(self, text: str) -> 'tuple[dict[str, Any], int]':
        """Return the data and when it was saved, in Unix seconds, 0 where the text does not say.

        :raises ValueError: for anything that none of the keys has signed, or that is no JSON object.
        """
        if len(text) > MAX_TEXT:
            raise ValueError('too long')
        signed, _, signature = text.rpartition(':')
        if self.legacy and not signed:
            return self._decode_legacy(text), 0
        given = signature.encode()
        if not any(compare_digest(self._signature(signed, key).encode(), given) for key in self._keys):
            raise ValueError('signed with none of the keys')
        coded, _, time = signed.rpartition(':')
        data = _unpacked(b64url_decode(coded[1:].encode())) if coded.startswith('.') else b64url_decode(coded.encode())
        return _object(data), _number(time)

    def _decode_legacy(self, text: str) -> 'dict[str, Any]':
        mac, _, data = b64_decode(text).partition(b':')
        if not any(compare_digest(_hmac(key, data, 'sha1').hex().encode(), mac) for key in self._legacy_keys):
            raise ValueError('signed with none of the keys')
        return _object(data)

    def _signature(self, text: str, key: bytes) -> str:
        return b64url_encode(_hmac(key, text.encode(), 'sha256'))


def _hmac(key: bytes, message: bytes, algorithm: str) -> bytes:
    return hmac.digest(key, message, algorithm)


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, MAX_TEXT + 1)
    except zlib.error:
        raise ValueError('not compressed') from None
    if len(unpacked) > MAX_TEXT or not unpacker.eof:
        raise ValueError('too long')
    return unpacked


def _object(data: bytes) -> 'dict[str, Any]':
    content = strictjson.loads(data)
    if not isinstance(content, dict):
        raise ValueError('not a JSON object')
    return content


def _base62(number: int) -> str:
    text = ''
    while number or not text:
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text


def _number(text: str) -> int:
    number = 0
    for digit in text[:12]:
        number = number * 62 + _DIGITS.index(digit)
    return number

"""Session tokens by any algorithm of PyJWT, with key pairs where one service makes sessions and others only read them.

Needs tokens.py and signed.py, and ``pip install dotlatch[jwks]``::

    from dotlatch.server.jwt_codec import JWTCodec
    from dotlatch.session import Session

    Session(app, codec=JWTCodec('ES256', sign_with=private_pem, verify_with=[public_pem]))   # where people log in
    Session(api, codec=JWTCodec('ES256', verify_with=[public_pem]))                          # where they are known

``Login`` needs Session's ``secret_key`` beside it, for what ties a session to a password.
"""
from collections.abc import Sequence
from typing import Any

import jwt

from ..portable import warn_once
from ..session import _SHORT_KEY
from ..signed import TYP
from ..tokens import MAX_TOKEN, ExpiredToken, InvalidSignature, InvalidToken, TokenError, make_keys

_MEMBERS = {'alg', 'typ', 'kid'}  # of the header: no other says anything that we would follow (RFC 8725 section 3.10)
# What began a moment ago by another machine's clock has begun: lifetime.py says what is too far ahead.
_OPTIONS: Any = {'require': ['exp', 'jti'], 'verify_iat': False}
_JWT = jwt.PyJWT()


class JWTCodec:
    """A codec for :class:`dotlatch.session.Session`.

    :param algorithm: the only one that is taken, such as ``'ES256'``, ``'EdDSA'``, ``'RS256'`` or ``'HS512'``.
    :param sign_with: the private key, as PEM or an object of ``cryptography``, or the secret of an HS algorithm;
        without it sessions can be read and not made.
    :param verify_with: the public keys, newest first; sessions that another than the first has signed are signed anew.
        For an HS algorithm the secrets, of which ``sign_with`` is the first unless given.
    :raises ValueError: for an algorithm that PyJWT does not have here, ``'none'``; for no key, one of another kind, or
        one that signs what none of the others verifies.
    """
    def __init__(self, algorithm: str, sign_with: Any = None, verify_with: 'Sequence[Any]' = ()) -> None:
        if algorithm == 'none' or algorithm not in jwt.PyJWS().get_algorithms():
            raise ValueError('PyJWT has no algorithm of that name here; key pairs need the package cryptography')
        if isinstance(verify_with, (str, bytes)):
            raise ValueError('verify_with is a list of keys, newest first')
        self.algorithm = algorithm
        self._keys = list(verify_with)
        if self._keys and algorithm.startswith('HS') and sign_with is not None and sign_with not in self._keys:
            raise ValueError('the secret that signs has to be among those that verify')
        if not self._keys and algorithm.startswith('HS') and sign_with is not None:
            self._keys = [sign_with]
        if not self._keys:
            raise ValueError('give the keys that verify, in a list, newest first')
        if algorithm.startswith('HS') and min(key.size for key in make_keys(self._keys)) < 32:
            warn_once(_SHORT_KEY)
        prepare = jwt.PyJWS().get_algorithm_by_name(algorithm).prepare_key
        try:
            self._keys = [prepare(key) for key in self._keys]  # once, and not for each request
            self._signing_key = None if sign_with is None else prepare(sign_with)
            is_read = sign_with is None or self._reads(self.encode({'exp': 1 << 33, 'jti': ''}))
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            raise ValueError(f'a key is none of {algorithm}') from None
        if not is_read:
            raise ValueError('what is signed here could not be read here: sign_with has its public key in verify_with')

    def _reads(self, token: str) -> bool:
        try:
            self.decode(token)
        except TokenError:
            return False
        return True

    def encode(self, claims: 'dict[str, Any]') -> str:
        """Return a token that carries the claims; RuntimeError where there is no key that signs."""
        if self._signing_key is None:
            raise RuntimeError('this service reads sessions and makes none: it has no key that signs')
        return jwt.encode(claims, self._signing_key, algorithm=self.algorithm, headers={'typ': TYP})

    def decode(self, token: str) -> 'dict[str, Any]':
        """Return the claims of a session that one of the keys verifies; TokenError for anything else."""
        if len(token) > MAX_TOKEN:
            raise InvalidToken('not a token')
        for key in self._keys:
            try:
                return self._decode(token, key)
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError:
                raise ExpiredToken('expired') from None
            except (jwt.PyJWTError, ValueError, TypeError):
                raise InvalidToken('not a session token') from None
        raise InvalidSignature('signed with none of the keys')

    def _decode(self, token: str, key: Any) -> 'dict[str, Any]':
        found = _JWT.decode_complete(token, key, algorithms=[self.algorithm], options=_OPTIONS)
        header = found['header']
        if header.get('typ') != TYP or not _MEMBERS.issuperset(header):
            raise InvalidToken('for another purpose')
        claims: 'dict[str, Any]' = found['payload']
        if not all(type(claims.get(name, 0)) is int for name in ('exp', 'iat', 'seen')):
            raise InvalidToken('a time is not a number of seconds')
        if type(claims['jti']) is not str:
            raise InvalidToken('its id is not text')
        return claims

    def is_current(self, token: str) -> bool:
        """Tell whether a token that was decoded is signed with the first key, or cannot be signed anew here."""
        if len(self._keys) == 1 or self._signing_key is None:
            return True
        try:
            self._decode(token, self._keys[0])
        except jwt.PyJWTError:
            return False
        return True

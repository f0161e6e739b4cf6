"""Tokens that a page puts into its forms, good for one session alone: what csrf.py takes where no Origin tells.

Needs what session.py needs; csrf.py loads it for the first token::

    from dotlatch import formtoken

    token = formtoken.issue(request)           # what csrf.token(request) returns
    await formtoken.is_good(request, token)    # True, in the same session only
"""
from .portable import b64url_encode, compare_digest, random_id
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .portable import Key

_NONCE = 22        # characters of random_id()
_SIZE = 22 + 43    # and of an HMAC


def issue(request: 'Any') -> str:
    """Return a token for the visitor's session, which begins with it if there is none.

    :raises RuntimeError: without a :class:`~dotlatch.session.Session`; with a store, before the session is loaded.
    """
    ext = session_of(request)
    session = ext.get(request)
    if session._claims is None:
        session['_csrf'] = 1
        session.save()
    claims: 'Any' = session._claims  # saved, so it has them
    return _sign(ext.keys[0], random_id(), claims['jti'])


async def is_good(request: 'Any', token: 'Any') -> bool:
    """Tell whether the token was issued for the session of this request. Ends in a 503 when its store is down."""
    ext = getattr(request.app, '_session', None)
    if ext is None or type(token) is not str or len(token) != _SIZE:
        return False
    claims = (await ext.load(request))._claims
    if claims is None:
        return False
    for key in ext.keys:
        if compare_digest(_sign(key, token[:_NONCE], claims['jti']).encode(), token.encode()):
            return True
    return False


def _sign(key: 'Key', nonce: str, session_id: str) -> str:
    """Return a token. No two are alike, so that who sees how well pages compress learns nothing of it (BREACH)."""
    return nonce + b64url_encode(key.sign(b'dotlatch-csrf\n' + (nonce + session_id).encode()))

"""The cookie of Starlette's SessionMiddleware, read and written: a session shared with a Starlette or FastAPI app.

Needs tokens.py, strictjson.py and portable.py, and ``pip install dotlatch[itsdangerous]``::

    from dotlatch.server.timed_codec import TimedCodec
    from dotlatch.session import Session

    Session(app, codec=TimedCodec(secret_key), host_prefix=False)

Both keep their data under the same names. What dotlatch has to know beside it, id and end, is under ``_dotlatch``,
which Starlette carries along. A session that Starlette has begun ends when its signature is too old, as it does there;
from the first ``save()`` here it has an id and can be ended.
"""
import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from itsdangerous import BadData, TimestampSigner

from .. import strictjson
from ..portable import b64url_encode, warn_once
from ..session import _SHORT_KEY
from ..tokens import MAX_TOKEN, InvalidSignature, InvalidToken

OURS = '_dotlatch'


class TimedCodec:
    """A codec for :class:`dotlatch.session.Session` over itsdangerous' TimestampSigner.

    :param secret_key: Starlette's ``secret_key``, or a list, newest first.
    :param max_age: seconds after which a session ends that Starlette has begun: its ``max_age``.
    :param signer: what makes the signer of a key, for other settings than Starlette's.
    """
    def __init__(self, secret_key: 'str | bytes | Sequence[str | bytes]', max_age: int = 14 * 24 * 3600,
                 signer: Any = TimestampSigner) -> None:
        keys = [secret_key] if isinstance(secret_key, (str, bytes)) else list(secret_key)
        if not keys or not all(keys):
            raise ValueError('an empty key signs nothing: give at least 32 random bytes')
        if min(map(len, keys)) < 32:
            warn_once(_SHORT_KEY)
        self.max_age = max_age
        self._signers = [signer(key) for key in keys]

    def encode(self, claims: 'dict[str, Any]') -> str:
        """Return a cookie that carries the claims; ValueError for data under the name that dotlatch has."""
        content = dict(claims['data'])
        if OURS in content:
            raise ValueError(f'the name {OURS} is taken')
        content[OURS] = {name: claims[name] for name in claims if name != 'data'}
        signed: bytes = self._signers[0].sign(base64.b64encode(strictjson.dumps(content)))
        return signed.decode()

    def decode(self, token: str) -> 'dict[str, Any]':
        """Return the claims of a cookie that one of the keys has signed; TokenError for anything else."""
        if len(token) > MAX_TOKEN:
            raise InvalidToken('not a token')
        for signer in self._signers:
            try:
                coded, time = signer.unsign(token, return_timestamp=True)
                content = strictjson.loads(base64.b64decode(coded, validate=True))
            except BadData:
                continue
            except ValueError:
                raise InvalidToken('not a session cookie') from None
            if not isinstance(content, dict):
                raise InvalidToken('not a session cookie')
            return self._claims(content, coded, int(time.timestamp()))
        raise InvalidSignature('signed with none of the keys')

    def _claims(self, content: 'dict[str, Any]', coded: bytes, began: int) -> 'dict[str, Any]':
        claims = content.pop(OURS, None)
        if claims is None:  # Starlette began it, and gave it no id
            # Of what is signed: the signature itself has several spellings, and a copy with another one is the same.
            digest = hashlib.sha256(b'%s.%d' % (coded, began)).digest()
            claims = {'jti': b64url_encode(digest[:16]), 'iat': began, 'exp': began + self.max_age}
        if not (isinstance(claims, dict) and type(claims.get('jti')) is str
                and all(type(claims.get(name, 0)) is int for name in ('exp', 'iat', 'seen'))):
            raise InvalidToken('not a session cookie')
        claims['data'] = content
        return claims

    def is_current(self, token: str) -> bool:
        """Tell whether a cookie that was decoded is signed with the newest key."""
        return len(self._signers) == 1 or bool(self._signers[0].validate(token))

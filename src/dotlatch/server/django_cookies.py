"""Django's sessions where they are in the cookie: its backend ``signed_cookies``.

Needs django_codec.py, django_content.py, django_expiry.py and django_users.py of this folder, and what those need::

    from dotlatch.server.django_cookies import DjangoCookies, SessionCookie
    from dotlatch.session import Session

    codec = DjangoCookies(users, SECRET_KEY)
    Session(app, codec.keys, codec=codec, transport=SessionCookie('sessionid'))
    login = Login(users=users)

Such a session is the cookie, so a copy of it outlives a log-out in Django: that is its backend's nature. A cookie that
was logged out here is over here; older ones of a session that Django has begun are others.
"""
import hashlib
from collections.abc import Sequence
from typing import Any

from ..portable import b64url_encode
from ..tokens import MAX_TOKEN, ExpiredToken, InvalidToken
from . import records
from .django_codec import COOKIE_SALT, DjangoCodec, django_keys
from .django_content import BACKEND, Content
from .django_expiry import SessionCookie as SessionCookie
from .django_users import DjangoUsers

_AHEAD = 24 * 3600  # seconds by which the clock of another machine may be ahead
_SOON = 60          # seconds, within which two ends are one


class DjangoCookies:
    """A codec for :class:`dotlatch.session.Session`.

    :param users: the project's users.
    :param secret_key: Django's ``SECRET_KEY``, or a list with it and ``SECRET_KEY_FALLBACKS``.
    :param backends: Django's ``AUTHENTICATION_BACKENDS``.
    :param max_age: Django's ``SESSION_COOKIE_AGE``, in seconds: how long after it was saved a session ends. One that
        is begun here with less, by ``Session(max_age=...)`` say, ends after that, however often it is saved.
    """
    def __init__(self, users: DjangoUsers, secret_key: 'str | bytes | Sequence[str | bytes]',
                 backends: 'Sequence[str]' = (BACKEND,), max_age: int = 14 * 24 * 3600) -> None:
        self.keys = django_keys(secret_key)
        self.max_age = max_age
        self._codec = DjangoCodec(self.keys, COOKIE_SALT)
        self._newest = DjangoCodec(self.keys[:1], COOKIE_SALT)
        self._content = Content(users, backends)

    def encode(self, claims: 'dict[str, Any]') -> str:
        """Return a cookie that carries the claims; ValueError for data under names that Django has."""
        now = records.read_clock()
        if 'django' not in claims and claims.get('exp', now + self.max_age) < now + self.max_age - _SOON:
            claims = {**claims, 'until': claims['exp']}
        return self._codec.encode(self._content.write(claims), now)

    def decode(self, token: str) -> 'dict[str, Any]':
        """Return the claims of a cookie that one of the keys has signed; TokenError for anything else."""
        if len(token) > MAX_TOKEN:
            raise InvalidToken('not a session cookie')
        try:
            content, saved = self._codec.decode(token)
        except ValueError:
            raise InvalidToken('not a session cookie') from None
        end = saved + self.max_age
        if not saved - _AHEAD <= records.read_clock() < end:
            raise ExpiredToken('the session has ended')
        claims = self._content.read(content, saved)
        # One that Django began has no id: of what is signed, so that a copy has the same.
        digest = hashlib.sha256(token.rpartition(':')[0].encode()).digest()
        claims.setdefault('jti', b64url_encode(digest[:16]))
        claims['exp'] = min(end, claims.get('until', end))
        return claims

    def is_current(self, token: str) -> bool:
        """Tell whether a cookie that was decoded is signed with the newest key."""
        try:
            self._newest.decode(token)
        except ValueError:
            return False
        return True

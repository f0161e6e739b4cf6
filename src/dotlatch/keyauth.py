"""API keys in requests: who shows one is its user, and may do what the key was given for.

Needs auth.py and apikeys.py, and what they need. It is ``dotlatch.auth.APIKeyAuth`` too::

    auth = APIKeyAuth(keys)

    @auth.user_loader
    async def load_user(user_id):
        return users.get_by_id(user_id)

    @app.get('/temperature')
    @auth.requires('read')
    async def temperature(request):
        return {'celsius': 21, 'for': request.g.current_user.name}
"""
from . import apikeys, http
from .auth import BaseAuth, quoted_string
from .identity import as_user, is_active, scope_list
from .portable import call, uptime_ms, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .throttle import Throttle

_HOUR_MS = 3600 * 1000
_MAX_NOTED = 256  # keys of which is known when their use was last told; about 60 bytes each


class APIKeyAuth(BaseAuth):
    """Authentication by API key: ``X-API-Key: dl_...``, or ``Authorization: Bearer dl_...`` where that is asked for.

    ``request.g.api_key`` is the key's record, when one has opened the route.

    :param keys: :class:`dotlatch.apikeys.FileKeys`, or what has its ``prefix``, ``async find(id)`` and ``used(key)``.
    :param user_loader: see :meth:`user_loader`.
    :param header: the header that carries the key; ``None`` for none.
    :param query: the name of a parameter of the address that may carry it too. Addresses end up in logs, in the
        history and in what is pasted: leave this out unless a client can do nothing else.
    :param scheme: ``'Bearer'`` to read ``Authorization: Bearer ...`` too, for clients that can only do that.
    :param realm: sent with the challenge; printable ASCII.
    :param error_status: the status of a refusal.
    :param allow_http: see :class:`dotlatch.auth.BaseAuth`; so is ``throttle``, which counts by source.
    :param events: a :class:`dotlatch.events.Events` that is told of each key that was refused, and of who has to wait.
    """
    scheme = 'APIKey'

    def __init__(self, keys: 'Any', user_loader: 'Callable[..., Any] | None' = None,
                 header: 'str | None' = 'X-API-Key', query: 'str | None' = None, scheme: 'str | None' = None,
                 realm: str = 'Please login', error_status: int = 401, allow_http: 'bool | None' = None,
                 throttle: 'Throttle | None' = None, events: 'Any' = None) -> None:
        super().__init__(error_status, allow_http, throttle, events)
        if header and header.lower() == 'authorization':
            raise ValueError("to read the Authorization header, say scheme='Bearer'")
        if not (header or scheme or query):
            raise ValueError('a key comes in a header, by a scheme or in the query: name one')
        self.keys = keys
        self.header = header or 'Authorization'
        self.query = query
        self.auth_callback = user_loader or _no_loader
        self._has_header = bool(header)
        self._scheme = scheme
        self._header = '%s realm=%s' % (scheme or 'APIKey', quoted_string(realm))
        self._noted: 'dict[str, int]' = {}

    def user_loader(self, f: 'Callable[..., Any]') -> 'Callable[..., Any]':
        """Decorator for the callback that takes a user's id and returns the user, or ``None`` when there is none.

        It is what :meth:`dotlatch.login.Login.user_loader` takes, so that a key's user is the same as a login's. A user
        whose ``is_active`` is false is nobody.
        """
        self.auth_callback = f
        return f

    # --- the request ------------------------------------------------------------------------------

    def _given(self, request: 'Any') -> 'str | None':
        """Return what stands where a key should be; the first place counts."""
        text = request.headers.get(self.header) if self._has_header else None
        if text is None and self._scheme:
            text = http.credentials(request, 'Authorization', self._scheme)
        if text is None and self.query:
            text = request.args.get(self.query)
        return text

    def find(self, request: 'Any') -> 'Any':
        """Return id and secret, as one: the throttle is not to count by the id."""
        found = apikeys.split(self._given(request), self.keys.prefix)
        return None if found is None else (found,)

    def is_tried(self, request: 'Any') -> bool:
        """Tell whether the request carries a key, good or bad."""
        return self._given(request) is not None

    # --- the verdict ------------------------------------------------------------------------------

    async def verify(self, request: 'Any', credentials: 'Any') -> 'Any':
        """Return the user whose key this is, or ``None``."""
        key_id, secret = credentials[0]
        key = await self.keys.find(key_id)
        if not apikeys.is_right(key, secret):
            return self._refused(request, None, 'key')
        if key.is_expired():
            return self._refused(request, key, 'expired')
        user = as_user(await call(self.auth_callback, key.user_id))  # type: ignore[arg-type]  # identify() has looked
        if user is None or not is_active(user):
            return self._refused(request, key, 'user')
        request.g._granted = scope_list(key.scopes)  # None would be no limit, and of a text any part would do
        request.g.api_key = key
        if uptime_ms() - self._noted.get(key_id, -_HOUR_MS) >= _HOUR_MS:
            await self._note(key)
        return user

    def _refused(self, request: 'Any', key: 'Any', reason: str) -> None:
        if self.events is None:
            return
        if key is None:
            self.events.emit('key_refused', source=http.source(request), reason=reason)
        else:
            self.events.emit('key_refused', user=key.user_id, name=key.name, source=http.source(request), reason=reason)

    def _tell(self, request: 'Any', seconds: int = 0) -> None:
        if seconds:  # or else verify() has told
            super()._tell(request, seconds)

    async def _note(self, key: 'Any') -> None:
        """Have it kept that the key was used: once an hour, and whatever goes wrong is no reason to refuse it."""
        time = uptime_ms()
        noted = self._noted
        if len(noted) >= _MAX_NOTED:
            noted = {key_id: noted[key_id] for key_id in noted if time - noted[key_id] < _HOUR_MS}
            self._noted = noted
        if len(noted) >= _MAX_NOTED:
            return
        noted[key.id] = time
        try:
            await call(self.keys.used, key)
        except OSError as error:
            warn_once('the use of an API key could not be kept: ' + type(error).__name__)

    # --- the answer -------------------------------------------------------------------------------

    def challenge(self, request: 'Any') -> str:
        """Return the challenge; with a Bearer scheme, that of RFC 6750 section 3."""
        if self._scheme and self._given(request) is not None:
            return self._header + ', error="invalid_token"'
        return self._header

    def insufficient(self, scopes: 'tuple[str, ...]') -> str:
        """Return what a 403 says of the scopes that are missing, with a Bearer scheme (RFC 6750 section 3.1)."""
        if not self._scheme:
            return ''
        return '%s, error="insufficient_scope", scope="%s"' % (self._header, ' '.join(scopes))

    def _mark(self, request: 'Any', response: 'Any') -> None:
        super()._mark(request, response)
        if self._has_header and self._scheme:
            http.vary(response, 'Authorization')
        if self.query and request.args.get(self.query) is not None and 'Referrer-Policy' not in response.headers:
            response.headers['Referrer-Policy'] = 'no-referrer'  # or the next page is told the key


async def _no_loader(user_id: 'Any') -> 'Any':
    raise RuntimeError('no user_loader: decorate the function that finds a user with @auth.user_loader')

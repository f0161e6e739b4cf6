"""Remember-me where sessions have a store: a series for each browser, and another secret after each use.

Needs what remember.py needs, which loads it, and stores.py. The record stands in the store beside the sessions, and so
in the list of them: who the user is, a hash of the secret and one of the secret before.

A secret that comes a second time has been copied: the thief's browser or the owner's has used it. Which of them, nobody
can tell, so the series ends, and all sessions that have come of it (Barry Jaspan, "Improved Persistent Login Cookie
Best Practice"). Requests that were under way together show the old one too, and have half a minute for it.

The next secret is an HMAC over the one before. So those requests agree on it, and whoever copies a secret cannot
compute the one that follows.
"""
from . import http, lifetime, tokens
from .identity import is_same_id, user_id
from .portable import compare_digest, random_id, signature
from .proofs import parent_id
from .session import session_of
from .stored import MAX_CLIENT, hash_of
from .stores import is_session_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .cookietoken import CookieToken
    from .login import Login

KIND = 'remember'
GRACE = 30  # seconds


class Series:
    """The series of an app's remember-me cookies.

    :param login: which is told of a theft.
    :param cookie: in which id and secret travel.
    """
    def __init__(self, login: 'Login', cookie: 'CookieToken') -> None:
        self.login = login
        self.cookie = cookie

    async def begin(self, request: 'Any', user: 'Any', stamped: str, seconds: int) -> 'dict[str, Any]':
        """Begin a series that ends in so many seconds, and return its record."""
        ext = session_of(request)
        secret = random_id()
        record = tokens.with_lifetime({'kind': KIND, 'user': user_id(user)}, seconds)
        record['secret'] = hash_of(secret).decode()
        record['stamp'] = stamped
        record = self._noted(request, record)
        series_id = random_id()
        await http.asked(request, ext.store.save(series_id, record, True))
        self.cookie.set(request, series_id + '.' + secret, seconds)
        return _named(record, series_id)

    async def accepted(self, request: 'Any') -> 'list[dict[str, Any]]':
        """Return the record of the cookie that holds, and hand out its next secret; end the series of a copied one.

        Of two cookies neither counts, nor is used: somebody may have planted one.
        """
        found = await self._sent(request)
        if len(found) != 1:
            return []
        record, secret = found[0]
        is_look = hasattr(request.g, '_is_look')  # at an open socket, which shows what it was opened with
        is_right = _is_hash_of(secret, record.get('secret'))
        if not is_right and not (_is_hash_of(secret, record.get('last'))
                                 and (is_look or await self._is_recent(request, record))):
            if not is_look:
                await self._steal(request, record)
            return []
        if is_look or http.is_websocket(request) or await self._turn(request, record, secret, is_right):
            return [record]
        return []

    async def end(self, request: 'Any', parent: 'Any') -> None:
        """End the series that came with the request, and the one of that parent, with all sessions of them."""
        ended = await self._load(request, parent_id({'parent': parent}))
        if ended is not None:
            await self._end(request, ended)
        for record, secret in await self._sent(request):
            if _is_hash_of(secret, record['secret'], record.get('last')):
                await self._end(request, record)

    async def _sent(self, request: 'Any') -> 'list[tuple[dict[str, Any], str]]':
        """Return the records of the series that the cookies name, and the secrets that these have, right or wrong."""
        found = []
        for value in self.cookie.sent(request):
            series_id, _, secret = value.partition('.')
            record = await self._load(request, series_id) if is_session_id(secret) else None
            if record is not None:
                found.append((record, secret))
        return found

    async def _load(self, request: 'Any', series_id: 'Any') -> 'dict[str, Any] | None':
        if not is_session_id(series_id):
            return None
        record = await http.asked(request, session_of(request).store.load(series_id))
        if type(record) is not dict or record.get('kind') != KIND:
            return None
        try:
            tokens.check_lifetime(record)
        except (ValueError, TypeError):  # a TokenError, or times that are none
            return None
        return _named(record, series_id)

    async def _turn(self, request: 'Any', record: 'dict[str, Any]', secret: str, is_right: bool) -> bool:
        """Hand out the next secret, and keep it unless that was done; tell whether the series still goes on."""
        ext = session_of(request)
        series_id = record['jti']
        text = ('dotlatch-remember\n%s.%s' % (series_id, secret)).encode()
        candidates = [signature(key, text)[:22].decode() for key in (ext.keys[:1] if is_right else ext.keys)]
        if not is_right:  # what was handed out, by a key that may not be the newest any more
            candidates = [one for one in candidates if _is_hash_of(one, record['secret'])]
            if not candidates:
                return True
        following = candidates[0]
        if is_right:
            turned = self._noted(request, record)
            turned['seen'] = await self._time(request, turned)
            turned['secret'], turned['last'] = hash_of(following).decode(), record['secret']
            del turned['jti'], turned['sub']
            if not await http.asked(request, ext.store.save(series_id, turned, False)):
                return False  # ended meanwhile
        # Whatever becomes of the request: without it the browser would come with a secret that is over.
        self.cookie.set(request, series_id + '.' + following, tokens.left(record), True)
        return True

    async def _is_recent(self, request: 'Any', record: 'dict[str, Any]') -> bool:
        passed = await self._time(request, record) - record['seen']
        return bool(-GRACE <= passed <= GRACE)

    async def _time(self, request: 'Any', record: 'dict[str, Any]') -> 'Any':
        """Return the seconds by which turns are told apart: the store's, if it has a clock that several machines share.
        """
        store = session_of(request).store
        if hasattr(store, 'time'):
            return await http.asked(request, store.time())
        return tokens.time_on(tokens.BOOT_CLAIM in record)

    async def _steal(self, request: 'Any', record: 'dict[str, Any]') -> None:
        await self._end(request, record)
        self.cookie.clear(request)
        self.login.tell('remember_stolen', request, record['user'])

    async def _end(self, request: 'Any', record: 'dict[str, Any]') -> None:
        store = session_of(request).store
        await http.asked(request, store.delete(record['jti']))
        for session_id, other in await http.asked(request, store.list_user(record['user'])):
            if is_same_id(parent_id(other), record['jti']):
                await http.asked(request, store.delete(session_id))

    def _noted(self, request: 'Any', record: 'dict[str, Any]') -> 'dict[str, Any]':
        """Return a copy with when and where it was used."""
        record = lifetime.used(record)
        record['source'] = http.source(request)
        record['client'] = request.headers.get('User-Agent', '')[:MAX_CLIENT]
        return record


def _named(record: 'dict[str, Any]', series_id: str) -> 'dict[str, Any]':
    """Return the record with id and user where a token has them."""
    record['jti'] = series_id
    record['sub'] = record['user']
    return record


def _is_hash_of(secret: str, *kept: 'Any') -> bool:
    hashed = hash_of(secret)
    return any(compare_digest(hashed, str(one).encode()) for one in kept)

"""Sessions kept by a store: the cookie holds an id and a secret, and the store a hash of the secret.

Needs what session.py needs, and stores.py; session.py loads it for ``Session(app, store=...)``.
"""
from hashlib import sha256

from microdot import Response

from . import http, strictjson
from .portable import b64url_bytes, compare_digest, random_id
from .stores import is_session_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .session import Session, SessionDict

MAX_CLIENT = 120  # characters of the User-Agent that are kept for the list of sessions


class Stored:
    """What :class:`~dotlatch.session.Session` asks and tells a store.

    :param ext: the session extension.
    :param store: see :mod:`dotlatch.stores`.
    """
    def __init__(self, ext: 'Session', store: 'Any') -> None:
        self.ext = ext
        self.store = store

    async def find(self, sent: 'list[str]') -> 'tuple[dict[str, Any], bool] | None':
        """Return the record of the only session that the request shows; ``None`` for none, or two.

        :raises OSError: from a store that cannot be asked, as the others do; the session makes a 503 of it.
        """
        found = None
        for value in sent:
            session_id, _, secret = value.partition('.')
            if not is_session_id(session_id) or not is_session_id(secret):
                continue
            record = await self.store.load(session_id)
            if not self._is_right(record, session_id, secret):
                continue
            if found is not None:
                return None
            found = record, False  # nothing here is signed
        return found

    def _is_right(self, record: 'Any', session_id: str, secret: str) -> bool:
        if type(record) is not dict or type(record.get('data')) is not dict:
            return False
        record['jti'] = session_id
        parent = record.get('parent')
        if parent is not None and (type(parent) is not list or len(parent) != 4):
            return False
        try:
            kept = str(record.get('secret')).encode()
            return compare_digest(hash_of(secret), kept) and self.ext.is_live(record)
        except (ValueError, TypeError):  # a program's own store may hand out anything
            return False

    async def is_there(self, session_id: str) -> bool:
        """Tell whether the store has the session."""
        return await self.store.load(session_id) is not None

    def start(self, session: 'SessionDict', record: 'dict[str, Any]') -> None:
        """Complete the record of a new session: its secret, when it began, and where."""
        secret = random_id()
        record['secret'] = hash_of(secret).decode()
        record['source'] = http.source(session.request)
        record['client'] = session.request.headers.get('User-Agent', '')[:MAX_CLIENT]
        session._secret = secret

    def put(self, session: 'SessionDict', record: 'dict[str, Any]') -> None:
        """Have the record written when the response is ready; TypeError or ValueError for one that cannot be."""
        size = len(strictjson.dumps(record))
        limit = getattr(self.store, 'max_record', 65536)
        if size > limit:
            raise ValueError('the session would be %d bytes, %d fit: keep less in the session' % (size, limit))
        session._record = record
        session._is_read_only = False
        if session._is_new:
            session.token = record['jti'] + '.' + session._secret

    def touch(self, session: 'SessionDict', record: 'dict[str, Any]') -> None:
        """Have the time of this use written when the response is ready, beside what others have saved by then."""
        session._record = record
        session._is_read_only = True

    def end(self, session: 'SessionDict', record: 'dict[str, Any]') -> None:
        """Have a session deleted when the response is ready."""
        if not session._is_new:
            session._doomed += (record['jti'],)

    async def respond(self, request: 'Any', response: 'Any', session: 'SessionDict') -> 'Any':
        """Carry out what the handlers did, and return the response: a 503 when the store cannot."""
        response = await self._finish(session) or response
        self.ext.hand_out(request, response, session)
        return response

    async def _finish(self, session: 'SessionDict') -> 'Any':
        try:
            if session._origin and session._record is not None and await self.store.load(session._origin) is None:
                session._record = session.token = None  # ended meanwhile, and so is what was to come of it
            await self._bury(session)
            session._origin = ''
            record = session._record
            if record is not None:
                session._record = None
                if session._is_read_only:
                    return await self._write_use(record)
                if not await self.store.save(record['jti'], record, session._is_new):
                    session.token = None  # ended meanwhile: a logout wins over a late save
                session._is_new = False
        except OSError:
            session.token = None
            return Response('Sessions are not available', 503, {'Retry-After': '2'})
        return None

    async def end_now(self, session: 'SessionDict') -> None:
        """Delete what was ended; what cannot be is left to :meth:`respond`, which says so."""
        try:
            await self._bury(session)
        except OSError:
            pass

    async def _bury(self, session: 'SessionDict') -> None:
        while session._doomed:
            doomed = session._doomed[-1]
            if await self.store.delete(doomed) is False and doomed == session._origin:
                session._record = session.token = None  # somebody else was sooner, just now
            session._doomed = session._doomed[:-1]

    async def _write_use(self, record: 'dict[str, Any]') -> None:
        store = self.store
        try:
            if hasattr(store, 'touch'):
                await store.touch(record['jti'], record)
                return
            newest = await store.load(record['jti'])
            if type(newest) is dict and type(newest.get('data')) is dict:
                record['data'] = newest['data']
                await store.save(record['jti'], record, False)
        except ValueError:  # no room for what is new: the old record holds on
            pass

    # --- all sessions of a user -------------------------------------------------------------------

    async def list(self, user: 'str | int') -> 'list[dict[str, Any]]':
        """See :meth:`dotlatch.session.Session.list_sessions`."""
        found = []
        for session_id, record in await self.store.list_user(user):
            kind = record.get('kind', 'session')
            if kind == 'session' and not self.ext.is_live(record):
                continue
            shown = {name: record.get(name) for name in ('iat', 'seen', 'source', 'client')}
            shown['id'] = session_id
            shown['kind'] = kind
            found.append(shown)
        return found

    async def end_one(self, user: 'str | int', session_id: str) -> bool:
        """See :meth:`dotlatch.session.Session.end_session`."""
        record = await self.store.load(session_id)
        if record is None or record.get('user') != user:
            return False
        await self.store.delete(session_id)
        return True

    async def end_all(self, user: 'str | int', keep: 'str | None') -> int:
        """See :meth:`dotlatch.session.Session.end_sessions`."""
        return int(await self.store.delete_user(user, keep))


def hash_of(secret: str) -> bytes:
    """Return what the store keeps: who reads the store cannot show the cookie (OWASP Session Management)."""
    return b64url_bytes(sha256(secret.encode()).digest())

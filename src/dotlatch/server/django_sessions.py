"""One session for a Django project and a Microdot app: Django's rows, Django's cookie, one login for both.

Needs stored.py, stores.py, proofs.py and what session.py needs; django_users.py, django_codec.py, django_content.py,
django_expiry.py, django_tables.py, database.py, records.py, errors.py and waiting.py of this folder, and ``pip install
dotlatch[django]``::

    from dotlatch.login import Login
    from dotlatch.server.django_sessions import DjangoSessions
    from dotlatch.server.django_users import DjangoUsers
    from dotlatch.session import Session

    users = DjangoUsers('postgresql+asyncpg://app:password@127.0.0.1/shop')
    Session(app, store=DjangoSessions(users, SECRET_KEY))
    login = Login(users=users)

Both see the same data under the same names. What dotlatch has to know beside it is under ``_dotlatch``, which Django
carries along; who is logged in stands where Django has it, and with Django's hash over the password, so each of them
ends the sessions that the other one's new password ends.
"""
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import MetaData, Table, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ..cookies import check_name
from ..identity import is_same_id
from ..portable import b64url_encode, warn_once
from ..proofs import AT_CODE, AT_PASSWORD
from ..stored import Stored
from . import records
from .django_codec import MAX_TEXT, DjangoCodec, django_keys
from .django_content import BACKEND, Content, check_names
from .django_expiry import SessionCookie, left
from .django_tables import sessions_table
from .django_users import DjangoUsers

_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
_KEY_SIZE = 32     # characters of a session's key
_PAGE = 500        # rows that are looked at in one go
_JUST_NOW = 2      # seconds
_MOST = MAX_TEXT // 5  # bytes of a record: each may become four characters of a text

django_session = sessions_table(MetaData())


def is_session_key(text: Any) -> bool:
    """Tell whether ``text`` is what Django makes: 32 small letters and digits."""
    return isinstance(text, str) and len(text) == _KEY_SIZE and not text.strip(_ALPHABET)


class SessionId(str):
    """What a session is called in lists. Django's key, which opens it, is the attribute ``key`` and shown to nobody."""
    key: str


def id_of(session_key: str) -> SessionId:
    """Return the id of the session that has this key."""
    session_id = SessionId(b64url_encode(hashlib.sha256(b'dotlatch-session' + session_key.encode()).digest()[:16]))
    session_id.key = session_key
    return session_id


class DjangoSessions:
    """A store for :class:`dotlatch.session.Session` whose sessions are those of a Django project.

    :class:`~dotlatch.session.Session` gets no ``secret_key`` of its own, since it has Django's, and the cookie is what
    it is there, unless ``Session(max_age=..., cookie_options=...)`` say otherwise.

    :param users: the project's users, whose database has the sessions too.
    :param secret_key: Django's ``SECRET_KEY``, or a list with it and ``SECRET_KEY_FALLBACKS``.
    :param backends: Django's ``AUTHENTICATION_BACKENDS``. A login here is written as one of the first, and one of a
        backend that is not in the list is none.
    :param cookie_name: Django's ``SESSION_COOKIE_NAME``.
    :param table: what :func:`dotlatch.server.django_tables.sessions_table` returned.
    :param legacy: ``True`` for a Django below 3.1: see :mod:`dotlatch.server.django_codec`.
    :param max_record: bytes of JSON that a session may have: 100,000 at the most.
    :raises ValueError: for a key, a list of backends, a name of a cookie or a size that cannot be.
    """
    def __init__(self, users: DjangoUsers, secret_key: 'str | bytes | Sequence[str | bytes]',
                 backends: 'Sequence[str]' = (BACKEND,), cookie_name: str = 'sessionid',
                 table: Table = django_session, legacy: bool = False, max_record: int = records.MAX_RECORD) -> None:
        self.users = users
        self.keys = django_keys(secret_key, legacy)
        self._content = Content(users, backends)
        check_name(cookie_name)
        if not 0 < max_record <= _MOST:
            raise ValueError(f'max_record is a number of bytes, {_MOST} at the most')
        self.cookie_name = cookie_name
        self.table = table
        self.max_record = max_record
        self.database = users.database
        self._codec = DjangoCodec(self.keys, legacy=legacy)
        this, live = table.c.session_key == bindparam('this'), table.c.expire_date > bindparam('now')
        self._load = select(table).where(this, live)
        self._insert = insert(table)
        self._update = update(table).where(this, live)
        self._exchange = self._update.where(table.c.session_data == bindparam('read'))
        self._delete = delete(table).where(this)
        self._page = select(table).where(table.c.session_key > bindparam('after'), live).order_by(
            table.c.session_key).limit(_PAGE)

    def keeper(self, ext: Any) -> 'DjangoKept':
        """Return what the :class:`~dotlatch.session.Session` asks in place of :class:`~dotlatch.stored.Stored`."""
        return DjangoKept(ext, self)

    # --- what every store has ---------------------------------------------------------------------

    async def load(self, session_id: str) -> 'dict[str, Any] | None':
        """Return the record of a session by its id: one that came from here, in a record or in a list.

        :raises StoreUnavailable: as all methods do; it is an OSError.
        """
        return await self.load_key(session_id.key) if isinstance(session_id, SessionId) else None

    async def load_key(self, session_key: str) -> 'dict[str, Any] | None':
        """Return the record of Django's key; ``None`` when there is none, or it has ended or is damaged."""
        if not is_session_key(session_key):
            return None
        rows = await self.database.run((self._load, {'this': session_key, 'now': records.read_clock()}))
        return self._record(rows[0]) if rows else None

    async def save(self, session_id: str, record: 'dict[str, Any]', new: bool = False) -> bool:
        """Keep a record, and tell whether that was done.

        :param new: ``True`` for a session that is not there yet, which is kept until its ``exp``. Otherwise the record
            replaces one that is still there, and ends when that would have: Django may have moved its end meanwhile.
        :raises TypeError: for a record that JSON cannot carry.
        :raises ValueError: for one that is too large.
        """
        if not isinstance(session_id, SessionId):  # such as a series of remember.py
            warn_once("nobody is remembered beside Django's sessions, which outlive the browser's by themselves")
            return False
        session_key = session_id.key
        now = records.read_clock()
        text = self._codec.encode(self._content.write(record), now)
        if not new:
            where = {'this': session_key, 'now': now}
            count: int = await self.database.run((self._update, {**where, 'session_data': text}))
            return count == 1
        row = {'session_key': session_key, 'session_data': text, 'expire_date': record['exp']}
        try:
            await self.database.run((self._insert, row))
        except IntegrityError:  # it is there
            return False
        await self._note_login(record)
        return True

    async def touch(self, session_id: str, record: 'dict[str, Any]') -> None:
        """Write down that a session was used, and nothing else: what Django saves meanwhile stays."""
        if not isinstance(session_id, SessionId):
            return
        for _ in range(records.TRIES):
            time = records.read_clock()
            where = {'this': session_id.key, 'now': time}
            rows = await self.database.run((self._load, where))
            newest = self._record(rows[0]) if rows else None
            if newest is None:
                return
            text = self._codec.encode(self._content.write({**newest, 'seen': record['seen']}), time)
            row = {'session_data': text, 'read': rows[0].session_data}
            if await self.database.run((self._exchange, {**where, **row})):
                return

    async def delete(self, session_id: str) -> None:
        """End a session by its id, as :meth:`load` takes it. It is no error when it is not there."""
        if isinstance(session_id, SessionId):
            await self.database.run((self._delete, {'this': session_id.key}))

    async def delete_user(self, user: 'str | int', keep: 'str | None' = None) -> int:
        """End all sessions of a user. Django's rows do not say whose they are: all that are live are looked through.

        :param keep: the id of one that goes on.
        :returns: how many were ended.
        """
        count = 0
        async for one, _ in self._of_user(user):
            if one != keep:
                await self.delete(one)
                count += 1
        return count

    async def list_user(self, user: 'str | int') -> 'list[tuple[str, dict[str, Any]]]':
        """Return id and record of each session that a user has, the one used last first; at most 1,000.

        All sessions that are live are looked through, as by :meth:`delete_user`. An id is not Django's key, which opens
        the session.
        """
        found = []
        async for session_id, record in self._of_user(user):
            found.append((session_id, record))
            if len(found) == records.MAX_LISTED:
                break
        return sorted(found, key=lambda item: item[1]['seen'], reverse=True)

    async def close(self) -> None:
        """Close the connections of this event loop, which are the users' too."""
        await self.database.close()

    async def _of_user(self, user: 'str | int') -> 'AsyncIterator[tuple[str, dict[str, Any]]]':
        after, looked_at = '', _PAGE
        while looked_at == _PAGE:
            rows = await self.database.run((self._page, {'after': after, 'now': records.read_clock()}))
            looked_at = len(rows)
            for row in rows:
                after = row.session_key
                record = self._record(row)
                if record is not None and is_same_id(record.get('user'), user):
                    yield record['jti'], record

    async def _note_login(self, record: 'dict[str, Any]') -> None:
        """Keep the time of the login, if this session began with one."""
        data = record['data']
        proven = [data[name] for name in (AT_PASSWORD, AT_CODE) if type(data.get(name)) is int]
        if '_user_id' not in data or '_actor' in data or max(proven, default=0) < record['iat'] - _JUST_NOW:
            return
        try:
            await self.users.note_login(data['_user_id'])
        except OSError:  # who has proven who he is is in
            warn_once("the time of a login could not be kept: dotlatch may not write Django's users")

    def _record(self, row: Any) -> 'dict[str, Any] | None':
        """Return the record that a row is; ``None`` for one that nobody of us has written."""
        try:
            content, saved = self._codec.decode(row.session_data)
            end = int(row.expire_date)
        except (ValueError, TypeError):
            return None
        record = self._content.read(content, saved)
        record.update(jti=id_of(row.session_key), exp=end)
        return record


class DjangoKept(Stored):
    """What :class:`~dotlatch.session.Session` asks and tells Django's sessions: the cookie holds the row's key."""
    def __init__(self, ext: Any, store: DjangoSessions) -> None:
        super().__init__(ext, store)
        cookies = ext.cookies
        options = {**cookies.options, 'same_site': cookies.same_site}
        ext.cookies = SessionCookie(store.cookie_name, options, cookies.max_cookie)
        if ext.transport is cookies:
            ext.transport = ext.cookies
        ext.secret_key = store.keys
        list(ext.keys)  # a ValueError now for one that is too short, and not at the first visit

    async def find(self, sent: 'list[str]') -> 'tuple[dict[str, Any], bool] | None':
        """Return the record of the only session that the request shows; ``None`` for none, or two."""
        found = None
        for value in sent:
            if not is_session_key(value):
                continue
            record = await self.store.load_key(value)
            if record is None or not self.ext.is_live(record):
                continue
            if found is not None:
                return None
            found = record, False  # a key that is not the newest is seen by the stamp
        return found

    def start(self, session: Any, record: 'dict[str, Any]') -> None:
        """Complete the record of a new session: its key, and where it began."""
        if not hasattr(self.ext.keys[0], 'stamp'):
            raise RuntimeError("Session takes no secret_key beside DjangoSessions, which has Django's")
        super().start(session, record)
        now = records.read_clock()
        seconds = left(session, now)  # as Django has it, also for a session that goes on under another key
        if seconds is not None:
            record['exp'] = min(record['exp'], now + seconds)
        del record['secret']  # the key is all that Django's cookie has
        session._secret = session_key = ''.join([secrets.choice(_ALPHABET) for _ in range(_KEY_SIZE)])
        record['jti'] = id_of(session_key)

    def put(self, session: Any, record: 'dict[str, Any]') -> None:
        """Have the record written when the response is ready; TypeError or ValueError for one that cannot be."""
        check_names(record['data'])
        super().put(session, {**record, 'jti': str(record['jti'])})  # JSON has no text that knows more than it says
        session._record = record
        if session._is_new:
            session.token = session._secret

    async def end_one(self, user: 'str | int', session_id: str) -> bool:
        """See :meth:`dotlatch.session.Session.end_session`."""
        found = {str(one): one for one, _ in await self.store.list_user(user)}.get(session_id)
        if found is not None:
            await self.store.delete(found)
        return found is not None

"""The pages of one's own account: where one is logged in, password, second factor, recovery codes.

Needs what loginpages.py needs, and html_account.py; totp.py for second factors::

    AccountPages(LoginPages(app, login, title='Greenhouse'))   # at /account
    AccountPages(LoginPages(app, login), qr=svg)               # with dotlatch.server.qr, on a computer

All of them need a password that was typed lately, see :meth:`dotlatch.login.Login.fresh`.
"""
from microdot import redirect

from . import entry, formlogin, http, tokens
from .identity import as_user, has_second_factor, is_active, name_of, stamp, user_id
from .origin import quote
from .portable import CLOCK_FLOOR, call
from .proofs import AT_CODE, OURS, PASSWORD, mark, parent_id, proofs
from .session import session_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loginpages import LoginPages
    from .session import Session

MAX_SHOWN = 16      # sessions on a page
_PENDING = '_totp'  # in the session: a second factor that is being set up
_BROWSERS = ('Firefox', 'Chrome', 'Safari')  # of a User-Agent's first 120 characters no more can be told
_SYSTEMS = ('Android', 'iPhone', 'iPad', 'Windows', 'Mac', 'Linux')


class AccountPages:
    """The pages of an account, for the one who is logged in.

    There is what users, sessions and login can do: a new password where the users have ``change_password``, a list of
    sessions where these have a store, a second factor where the login has one.

    :param pages: the login's. Their ``render``, ``title`` and so on hold here too.
    :param url: where the account is; the other pages are below.
    :param qr: ``qr(uri)`` returns a picture for the second factor: ``<svg>``, or an address that begins with ``data:``.
    :param min_length: characters of a new password that the form asks for. The users have the last word.
    """
    def __init__(self, pages: 'LoginPages', url: str = '/account', qr: 'Callable[..., Any] | None' = None,
                 min_length: int = 15) -> None:
        self.pages = pages
        self.login = login = pages.login
        self.users = login.users
        self.url = url
        self.qr = qr
        self.context: 'dict[str, Any]' = {'account_url': url, 'min_length': min_length}
        fresh = login.fresh
        app = pages.app
        app.get(pages.route(url))(fresh(self._account))
        app.post(self._below('end_url', '/end'))(fresh(self._end))
        if hasattr(self.users, 'change_password'):
            address = self._below('password_url', '/password')
            app.get(address)(fresh(self._password_form))
            app.post(address)(fresh(self._change_password))
        if login.second is not None:
            address = self._below('second_url', '/second')
            app.get(address)(fresh(self._second_form))
            app.post(address)(fresh(self._confirm))
            # A browser that is asked for no code at the login is asked for one here.
            app.post(self._below('recovery_url', '/recovery'))(fresh(login.second_factor(self._new_recovery)))
            app.post(self._below('remove_url', '/remove'))(fresh(login.second_factor(self._remove)))

    def _below(self, name: str, path: str) -> str:
        self.context[name] = self.url + path
        return self.pages.route(self.url + path)

    async def _show(self, request: 'Any', page: str, status: int = 200, **context: 'Any') -> 'Any':
        for name in self.context:
            context.setdefault(name, self.context[name])
        return await self.pages.show(request, page, status, user=name_of(request.g.current_user), **context)

    def _back(self, request: 'Any', message: 'str | None') -> 'Any':
        """Return the redirect to the account, which says this."""
        if message is not None:
            session = session_of(request).get(request)
            try:
                session.flash(message)
            except ValueError:  # no room in the cookie: what was asked for is done all the same
                session.pop('_flashes', None)
        return redirect(self.url, 303)

    def _tell(self, event: str, request: 'Any', user: 'Any') -> None:
        """Tell of a change, unless the users do."""
        if getattr(self.users, 'events', None) is None:
            self.login.tell(event, request, user)

    async def _go_on(self, request: 'Any', had_factor: bool, code: 'bool | None' = None) -> None:
        """Begin a session for this browser, where all of the user's have just ended.

        What others have done meanwhile holds: a log-out, an account that was shut, a second factor that was set up.

        :param had_factor: whether there was a second factor before.
        :param code: whether a code was proven right now; ``None`` for what was before.
        """
        load: 'Any' = self.login.user_loader_callback
        try:
            user = as_user(await call(load, user_id(request.g.current_user)))  # a database has another object now
        except OSError as error:
            http.unavailable(request, error)
        if user is None or not is_active(user) or (has_second_factor(user) and not had_factor):
            return
        ext = session_of(request)
        session = ext.get(request)
        stamped = stamp(user, ext.keys[0])  # before the wait: see login_user
        if not await ext.is_there(session):
            return
        proven = proofs(session)
        if code is not None:
            proven.pop(AT_CODE, None)
        if code:
            proven[AT_CODE] = mark()
        data = {name: session[name] for name in session if name not in OURS + (_PENDING,)}
        left = min(tokens.left(session._claims or {}), ext.max_age)  # a clock set back makes nothing last longer
        entry.begin(self.login, request, user, proven, data, left, None, stamped)
        await self._tidy(request, user)

    async def _tidy(self, request: 'Any', user: 'Any') -> None:
        """Take sessions that are worth nothing any more out of the list."""
        ext = session_of(request)
        if ext.store is None:
            return
        try:
            await ext.end_sessions(user_id(user), ext.get(request))
        except OSError:  # what matters was done
            pass

    # --- the account ------------------------------------------------------------------------------

    async def _account(self, request: 'Any') -> 'Any':
        ext = session_of(request)
        context = {} if ext.store is None else await self._listed(request, ext)
        if not context and not hasattr(self.users, 'end_sessions'):
            context['end_url'] = None
        if self.login.second is not None:
            context['second'] = self.login.second.is_on(request.g.current_user)
        return await self._show(request, 'account', **context)

    async def _listed(self, request: 'Any', ext: 'Session') -> 'dict[str, Any]':
        claims = ext.get(request)._claims or {}
        here = (claims.get('jti'), parent_id(claims))
        entries = await http.asked(request, ext.list_sessions(user_id(request.g.current_user)))
        lists: 'dict[str, list[Any]]' = {'session': [], 'remember': []}
        for one in entries[:MAX_SHOWN]:
            lists['remember' if one.get('kind') == 'remember' else 'session'].append({
                'id': one['id'], 'client': browser(one['client'] or ''), 'source': one['source'],
                'began': ago(one['iat']), 'used': ago(one['seen']), 'here': one['id'] in here})
        return {'listed': True, 'sessions': lists['session'], 'devices': lists['remember'],
                'more': max(0, len(entries) - MAX_SHOWN)}

    async def _end(self, request: 'Any') -> 'Any':
        work = self._ended(request, session_of(request), http.form(request).get('end', ''))
        return self._back(request, await http.asked(request, work))

    async def _ended(self, request: 'Any', ext: 'Session', which: str) -> 'str | None':
        """End a session, or all others, and return what is to be said of it."""
        user = request.g.current_user
        if which != 'others':
            if ext.store is None or not await self._end_one(ext, user_id(user), which):
                return None
            self.login.tell('session_ended', request, user, reason='user')
            return 'That login has ended.'
        if hasattr(self.users, 'end_sessions'):
            had_factor = has_second_factor(user)
            await call(self.users.end_sessions, user)
            self._tell('sessions_ended', request, user)
            await self._go_on(request, had_factor)
        elif ext.store is not None:
            await ext.end_sessions(user_id(user), ext.get(request))
            self.login.tell('sessions_ended', request, user)
        else:
            return None
        return 'You are logged out everywhere else.'

    async def _end_one(self, ext: 'Session', owner: 'str | int', which: str) -> bool:
        """End a session, or what remembers a browser, and with either of them what came of it in that browser."""
        records = dict(await ext.store.list_user(owner))
        if which not in records:
            return False
        doomed = (which, parent_id(records[which]))
        for session_id, record in records.items():
            parent = parent_id(record)
            if session_id in doomed or (parent is not None and parent in doomed):
                await ext.end_session(owner, session_id)
        return True

    # --- the password -----------------------------------------------------------------------------

    async def _password_form(self, request: 'Any') -> 'Any':
        return await self._show(request, 'password')

    async def _change_password(self, request: 'Any') -> 'Any':
        user = request.g.current_user
        had_factor = has_second_factor(user)
        problem = await self._changed(request, user, http.form(request))
        if problem:
            return await self._show(request, 'password', 400, problem=problem)
        self._tell('password_changed', request, user)
        await self._go_on(request, had_factor)
        return self._back(request, 'Your password is changed. Every other browser is logged out.')

    async def _changed(self, request: 'Any', user: 'Any', fields: 'dict[str, str]') -> 'str | None':
        """Change the password, and return ``None`` or what is wrong."""
        new = fields.get('new', '')
        if not new:
            return 'A new password has at least %d characters.' % self.context['min_length']
        if new != fields.get('again'):
            return 'The two new passwords differ.'
        account = name_of(user)
        await formlogin.ask(self.login, request, account)
        problem = None
        try:
            if not await call(self.users.change_password, user, fields.get('current', ''), new):
                self.login.tell('login_failed', request, user, reason=PASSWORD)
                return 'The current password is wrong.'
        except ValueError as error:  # the current one was right
            problem = 'That will not do: %s.' % error
        except OSError as error:
            await formlogin.take_back(self.login, request, account)
            http.unavailable(request, error)
        await formlogin.succeeded(self.login, request, account)
        return problem

    # --- the second factor ------------------------------------------------------------------------

    async def _second_form(self, request: 'Any') -> 'Any':
        return await self._show_second(request)

    async def _show_second(self, request: 'Any', status: int = 200, **context: 'Any') -> 'Any':
        from . import totp  # which the second factor has loaded
        user = request.g.current_user
        second = self.login.second
        if second.is_on(user):
            return await self._show(request, 'second_on', status, left=second.codes_left(user), **context)
        session = session_of(request).get(request)
        try:
            pending = totp.load(session.get(_PENDING, ''))
        except ValueError:
            pending = second.begin(user)
            session[_PENDING] = pending.stored()
            session.save()
        uri = pending.uri(name_of(user).replace(':', ' ')[:64], second.issuer)
        key = pending.secret
        key = ' '.join([key[i:i + 4] for i in range(0, len(key), 4)])
        picture = None
        if self.qr is not None:
            try:
                picture = _as_address(await call(self.qr, uri))
            except ValueError:  # the name and the issuer are too long for one
                pass
        return await self._show(request, 'second', status, uri=uri, key=key, qr=picture, **context)

    async def _confirm(self, request: 'Any') -> 'Any':
        from . import totp
        user = request.g.current_user
        pending = session_of(request).get(request).get(_PENDING)
        if self.login.second.is_on(user) or not pending:
            return redirect(self.context['second_url'], 303)
        code = http.form(request).get('code', '').replace(' ', '')
        try:
            codes = await http.asked(request, self.login.second.confirm(user, pending, code))
        except totp.ClockNotSet:
            return await self._show_second(request, 503, clock=True)
        except ValueError:  # that is nothing to confirm: the page makes another one
            return redirect(self.context['second_url'], 303)
        if codes is None:
            return await self._show_second(request, 400, problem='That is not the code that belongs to this key.')
        await self._go_on(request, True, True)
        return await self._show(request, 'recovery', codes=codes)

    async def _new_recovery(self, request: 'Any') -> 'Any':
        try:
            codes = await http.asked(request, self.login.second.new_recovery(request.g.current_user))
        except ValueError:  # it was switched off meanwhile
            return redirect(self.context['second_url'], 303)
        return await self._show(request, 'recovery', codes=codes)

    async def _remove(self, request: 'Any') -> 'Any':
        if not await http.asked(request, self.login.second.remove(request.g.current_user)):
            return self._back(request, None)  # somebody was quicker
        await self._go_on(request, False, False)
        return self._back(request, 'The second factor is off. Every other browser is logged out.')


def _as_address(picture: str) -> str:
    """Return a picture as an address, which a page can escape as it does all else."""
    if not picture.startswith('<svg'):
        return picture
    if ' xmlns=' not in picture.split('>')[0]:
        picture = '<svg xmlns="http://www.w3.org/2000/svg"' + picture[4:]
    return 'data:image/svg+xml,' + quote(picture)


def browser(client: str) -> str:
    """Return what somebody would call a browser of this User-Agent: ``'Firefox, Windows'``."""
    found = [name for name in _BROWSERS if name + '/' in client][:1] + [name for name in _SYSTEMS if name in client][:1]
    return ', '.join(found) or client[:48] or 'Unknown'


def ago(time: 'Any') -> str:
    """Return how long ago a time of a session was, in seconds of the clock or, while that is not set, of uptime."""
    passed = tokens.time_on(time < CLOCK_FLOOR) - time if type(time) is int else -1
    if passed < 0:
        return 'some time ago'
    for unit, seconds in (('days', 86400), ('hours', 3600), ('minutes', 60)):
        if passed >= 2 * seconds:
            return '%d %s ago' % (passed // seconds, unit)
    return 'just now'

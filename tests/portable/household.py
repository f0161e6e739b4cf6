"""A site with accounts and every way in and out, for tests of the login layer.

    with Cheap():
        house = await Household.build(users=('anna', 'boss'))
        browser = await house.log_in('anna')
        await house.who(browser)            # 'anna fresh'
"""
import asyncio

from cheap import Cheap as Cheap
from client import Client, make_app

from dotlatch import http
from dotlatch.events import Events
from dotlatch.login import Login
from dotlatch.session import session_of
from dotlatch.totp import ClockNotSet
from dotlatch.users import MemoryUsers

PASSWORDS = {'anna': 'four words of annas own', 'bert': 'what bert would think of', 'boss': 'the bosses long secret'}
SCOPES = {'anna': ['read'], 'bert': ['read', 'write'], 'boss': ['read', 'write', 'impersonate']}


class Household:
    """The app, its users, its events and its login; ``options`` are Login's, ``session`` Session's."""

    @staticmethod
    async def build(names=('anna',), session=None, users=None, **options):
        house = Household()
        house.users = MemoryUsers() if users is None else users  # an empty one is false
        for name in names:
            await house.users.create(name, PASSWORDS[name], SCOPES[name])
        house.events = Events()
        house.app = make_app(**(session or {}))
        house.guards = []
        house.login = Login(users=house.users, events=house.events, **options)
        house._add_pages(house.app, house.login)
        return house

    def user(self, name):
        return self.users.get_by_name(name)

    def told(self, event=None):
        """The events, the oldest first: names, or the dictionaries of one kind."""
        events = list(reversed(self.events.recent()))
        return [one['event'] for one in events] if event is None else [one for one in events if one['event'] == event]

    def _add_pages(self, app, login):
        def page(name, decorator):
            @app.route('/' + name, methods=['GET', 'POST'])
            @decorator
            async def handler(request):
                return name + ': ' + request.g.current_user.name

        page('private', login)
        page('fresh', login.fresh)
        page('fresh600', login.fresh(max_age=600))
        page('second', login.second_factor)
        page('second600', login.second_factor(max_age=600))
        page('write', login.requires('write'))

        @app.get('/who')
        async def who(request):
            user = await login.get_current_user(request)
            original = request.g.original_user
            text = '%s %s' % (user.name if user else None, request.g.login_state)
            return text + (' as ' + original.name if original else '')

        @app.get('/login')
        @app.get('/login/code')
        async def form(request):
            return 'a form'

        @app.post('/login')
        async def log_in(request):
            fields = http.form(request)
            answer = await login.login(request, fields.get('username'), fields.get('password', ''),
                                       remember='remember' in fields, guards=self.guards)
            return answer or (request.g.login_problem, 401)

        @app.post('/login/code')
        async def enter_code(request):
            fields = http.form(request)
            try:
                answer = await login.enter_code(request, fields.get('code'), trust='trust' in fields)
            except ClockNotSet:
                return 'the clock is not set', 503
            return answer or ('wrong code', 401)

        @app.post('/a/b/logout')
        async def log_out(request):
            await login.logout_user(request)
            return 'bye'

        @app.post('/act/<name>')
        @login
        async def act(request, name):
            return await login.impersonate(request, self.user(name))

        @app.post('/stop')
        @login
        async def stop(request):
            return await login.end_impersonation(request)

        @app.get('/sessions')
        @login
        async def sessions(request):
            found = await session_of(request).list_sessions(request.g.current_user.id)
            return ' '.join(sorted([one['kind'] for one in found]))

    async def post(self, browser, url, fields, headers=None):
        pairs = []
        for name in fields:
            pairs.append(name + '=' + fields[name].replace(' ', '+'))
        return await browser.post(url, headers, form='&'.join(pairs))

    async def try_password(self, browser, name, password=None, url='/login', **more):
        fields = {'password': PASSWORDS.get(name, 'x') if password is None else password}
        if name is not None:
            fields['username'] = name
        for key in more:
            fields[key] = more[key]
        return await self.post(browser, url, fields)

    async def log_in(self, name, headers=None, **more):
        browser = Client(self.app)
        fields = {'username': name, 'password': PASSWORDS[name]}
        for key in more:
            fields[key] = more[key]
        res = await self.post(browser, '/login', fields, headers)
        assert res.status_code == 302, (res.status_code, res.text)
        return browser

    async def who(self, browser, headers=None):
        return (await browser.get('/who', headers)).text


async def status(browser, *urls):
    """What status each of these pages has, one after the other."""
    codes = []
    for url in urls:
        codes.append((await browser.get(url)).status_code)
    return codes


async def together(*coroutines):
    """What these return that run at the same time."""
    return await asyncio.gather(*coroutines)

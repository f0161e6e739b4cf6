"""What the console has for several people: a list of where one is logged in, second factors, and for who looks after
the accounts, pages to add them, switch them off, act for them, and see what happened.

A Pico has no room for these beside the rest: leave the file out there.
"""
from microdot import redirect

from dotlatch.accountpages import ago
from dotlatch.events import Events as Events
from dotlatch.http import form, wants_page
from dotlatch.impersonation import Impersonation
from dotlatch.login import Login
from dotlatch.second import SecondFactor
from dotlatch.stores import FileStore as FileStore

try:
    from dotlatch.server.qr import svg  # a picture for the second factor, where there is what draws it
except ImportError:
    svg = None

SCOPE = 'people'             # who looks after the accounts
SCOPES = ('read', 'light')   # what one that is added may be given


def login(users, throttle, events, device):
    """Return a login with second factors, in which who looks after the accounts may act for others."""
    return Login(users=users, throttle=throttle, events=events, second_factor=SecondFactor(users, issuer=device),
                 impersonation=Impersonation(SCOPE))


def add(app, console):
    """Add the pages."""
    login, users = console.login, console.users

    async def show(request, status=200, **context):
        listed = [{'id': user.id, 'title': user.name, 'may': ', '.join(user.scopes) or 'none',
                   'off': not user.is_active, 'other': user is not request.g.current_user} for user in users]
        return await console.show(request, PEOPLE, status, people=listed, **context)

    @app.get('/people')
    @login.requires(SCOPE)
    @login.fresh
    async def list_people(request):
        return await show(request)

    @app.post('/people')
    @login.requires(SCOPE)
    @login.fresh
    async def add_person(request):
        fields = form(request)
        try:
            await users.create(fields.get('name', '').strip(), fields.get('password', ''),
                               [scope for scope in SCOPES if scope in fields])
        except ValueError as error:
            return await show(request, 400, problem='That will not do: %s.' % error)
        return redirect('/people', 303)

    @app.post('/people/switch')
    @login.requires(SCOPE)
    @login.fresh
    async def switch_person(request):
        user = users.get_by_id(form(request).get('id', ''))
        if user is not None and user is not request.g.current_user:
            users.disable(user) if user.is_active else users.enable(user)
        return redirect('/people', 303)

    @app.post('/people/act')
    @login.requires(SCOPE)
    @login.fresh
    async def act_for(request):
        return await login.impersonate(request, users.get_by_id(form(request).get('id', '')))

    @app.post('/people/stop')
    @login
    async def stop_acting(request):
        return await login.end_impersonation(request)

    @app.get('/audit')
    @login.requires(SCOPE)
    async def audit(request):
        return await console.show(request, AUDIT, events=[describe(event) for event in console.events.recent(24)])

    refused = app.error_handlers[403]

    @app.errorhandler(403)
    async def refused_to_actors_too(request):
        if getattr(request.g, 'original_user', None) is None or not wants_page(request):
            return await refused(request)
        return await console.show(request, NOT_YOURS, 403)


def with_actor(template):
    """Return the template of a page with a line on top for who acts for somebody else."""
    heading, _, body = template.partition(b'\n')
    return heading + b'\n' + ACTING + body


def describe(event):
    rest = [str(event[name]) for name in ('reason', 'method', 'source', 'path') if event.get(name) is not None]
    who = str(event.get('name') or event.get('user') or '')
    if event.get('actor'):
        who += ' by ' + str(event['actor'])
    return {'what': event['event'].replace('_', ' '), 'who': who, 'rest': ', '.join(rest),
            'when': ago(event['uptime'])}


ACTING = b'''<form method="post" action="/people/stop"><div class="row">
<p>You act for <b>{user}</b>, and are {actor}.</p>
<button>Stop</button></div></form>
'''

NOT_YOURS = b'''Not possible
<p>{user} may not do this, or nobody else may do it for {user}.</p>
<p><a href="/">Back</a></p>
'''

PEOPLE = b'''People
{#people}<div class="card row"><p><b>{title}</b>{#off}, not active{/}<br><span class="soft">Scopes: {may}</span></p>
{#other}<div>{^off}<form method="post" action="/people/act">
<button class="quiet" name="id" value="{id}">Act for</button></form>
{/}<form method="post" action="/people/switch">
<button class="quiet" name="id" value="{id}">{#off}Enable{/}{^off}Disable{/}</button></form></div>
{/}</div>
{/}<form method="post" action="/people" autocomplete="off">
<label>Name <input name="name" maxlength="64" required></label>
<label>Password <input name="password" type="password" autocomplete="new-password" minlength="15" required></label>
<label class="check"><input name="read" type="checkbox" checked> May read the figures</label>
<label class="check"><input name="light" type="checkbox"> May switch the light</label>
<button>Add</button>
</form>
<p><a href="/">Back</a></p>
'''

AUDIT = b'''What happened
<div class="card">{#events}<p><b>{what}</b> {who}<br><span class="soft">{when}{#rest}: {rest}{/}</span></p>
{/}{^events}<p>Nothing yet.</p>
{/}</div>
<p><a href="/">Back</a></p>
'''

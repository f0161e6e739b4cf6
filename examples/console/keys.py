"""The console's page for API keys, with which programs come.

A board without this file has no such page, and more free memory.
"""
from microdot import redirect

from dotlatch.accountpages import ago
from dotlatch.apikeys import FileKeys
from dotlatch.auth import APIKeyAuth, any_of
from dotlatch.http import form
from dotlatch.portable import now

SCOPES = ('read', 'light')  # what a key may be given
DAY = 24 * 3600


def add(app, console, path):
    """Add the page, and return what takes a login or a key."""
    login, users = console.login, console.users
    keys = FileKeys(path, prefix='console', max_keys=20, events=console.events)

    async def show(request, status=200, **context):
        listed = [{'id': key.id, 'title': key.name, 'may': ', '.join(key.scopes) or 'none',
                   'used': 'never' if key.last_used is None else ago(key.last_used), 'end': until(key)}
                  for key in keys.of_user(request.g.current_user)]
        return await console.show(request, PAGE, status, keys=listed, clock=now() is not None, **context)

    @app.get('/keys')
    @login.fresh
    async def list_keys(request):
        return await show(request)

    @app.post('/keys')
    @login.fresh
    async def make_key(request):
        fields = form(request)
        days = fields.get('days', '')
        time = now()
        try:
            if days not in ('', '30', '365') or (days and time is None):
                raise ValueError('a key ends in 30 days, in a year or never')
            text = keys.create(request.g.current_user, fields.get('name', '').strip(),
                               [scope for scope in SCOPES if scope in fields],
                               time + int(days) * DAY if days else None)
        except ValueError as error:
            return await show(request, 400, problem='That will not do: %s.' % error)
        return await show(request, new=text)

    @app.post('/keys/revoke')
    @login.fresh
    async def revoke_key(request):
        keys.revoke(form(request).get('id', ''), request.g.current_user)
        return redirect('/keys', 303)

    return any_of(login, APIKeyAuth(keys, users.load_user, events=console.events))


def until(key):
    if key.expires is None:
        return 'Never ends'
    if key.is_expired():
        return 'Has ended, or the clock is not set'
    seconds = key.expires - now()
    return 'Ends in %d days' % (seconds // DAY) if seconds >= 2 * DAY else 'Ends in %d hours' % (seconds // 3600)


PAGE = b'''API keys
{#new}<div class="card" role="status"><p>Your new key. It is shown this once, so copy it now:</p>
<p><code>{new}</code></p><p class="soft">Programs send it as the header X-API-Key, to /figures for one.</p></div>
{/}<form method="post" action="/keys">
<label>Name <input name="name" maxlength="64" autocomplete="off" placeholder="What will use it" required></label>
<label class="check"><input name="read" type="checkbox" checked> May read the figures</label>
<label class="check"><input name="light" type="checkbox"> May switch the light</label>
<label>Ends <select name="days">{#clock}<option value="30">in 30 days</option><option value="365">in a year</option>
{/}<option value="">never</option></select></label>
<button>Make a key</button>
</form>
{#keys}<div class="card row"><div><p><b>{title}</b></p>
<p class="soft">Scopes: {may}<br>Last used: {used}<br>{end}</p></div>
<form method="post" action="/keys/revoke"><button class="quiet" name="id" value="{id}">Revoke</button></form></div>
{/}<p><a href="/">Back</a></p>
'''

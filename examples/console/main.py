"""A device console behind a login: see how the device is doing, switch its light, change the password, log out.
Programs come with API keys, which are made and revoked on a page of their own.

The same file runs on a Pico or an ESP32 (copy it there as main.py), under MicroPython on a computer, and on CPython
with Microdot's own server (``python main.py``), uvicorn (asgi.py) or gunicorn (wsgi.py).

It reads three settings from the environment where there is one: HOST (default 127.0.0.1 on a computer, every address
on a board), PORT (8000 on a computer, 80 on a board) and CONSOLE_DATA, the folder of users.json, keys.json and
secret.key.
"""
import gc
import os
import sys

if hasattr(gc, 'threshold'):
    gc.threshold(16384)  # on a board: what importing leaves behind would lie between what stays, and no page would fit

from microdot import Microdot, redirect

from dotlatch.apikeys import FileKeys
from dotlatch.auth import APIKeyAuth, any_of
from dotlatch.files import load_or_create
from dotlatch.http import form, source
from dotlatch.login import Login
from dotlatch.passwords import WeakPassword, check_strength
from dotlatch.portable import b64url_encode, now, random_bytes, run, uptime_ms
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers

try:
    import machine
except ImportError:
    machine = None  # no board: the sensor and the light are simulated

STARTED = 0 if machine else uptime_ms()
DEVICE = 'greenhouse console'  # a word of it is no password
SCOPES = ('read', 'light')     # what a user may do, and what a key may be given
DAY = 24 * 3600


def setting(name, default):
    return os.getenv(name) or default if hasattr(os, 'getenv') else default


# --- the device -----------------------------------------------------------------------------------

def size(kilobytes):
    return '%d KB' % kilobytes if kilobytes < 10000 else '%d MB' % (kilobytes // 1024)


class Device:
    def __init__(self):
        self.light_on = False
        self._pin = self._sensor = None
        if machine is not None:
            try:
                self._pin = machine.Pin('LED', machine.Pin.OUT)
                self._sensor = machine.ADC(4)
            except (AttributeError, TypeError, ValueError):
                pass  # another board: name its own pins here

    def switch(self, on):
        self.light_on = on
        if self._pin is not None:
            self._pin.value(on)

    def temperature(self):
        if self._sensor is not None:  # the RP2040's own: 0.706 V at 27 degrees, 1.721 mV a degree
            return 27 - (self._sensor.read_u16() * 3.3 / 65535 - 0.706) / 0.001721
        minute = uptime_ms() // 1000 % 120  # a slow wave around 21 degrees
        return 20 + (minute if minute < 60 else 120 - minute) / 30

    def free_memory(self):
        if hasattr(gc, 'mem_free'):
            gc.collect()
            return gc.mem_free() // 1024
        try:
            return os.sysconf('SC_AVPHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 1024
        except (ValueError, OSError, AttributeError):
            return 0

    def figures(self):
        seconds = (uptime_ms() - STARTED) // 1000
        return {
            'uptime': '%d:%02d:%02d' % (seconds // 3600, seconds // 60 % 60, seconds % 60),
            'memory': size(self.free_memory()),
            'temperature': '%.1f °C' % self.temperature(),
            'light': 'on' if self.light_on else 'off',
        }


# --- the app --------------------------------------------------------------------------------------

def create_app(app):
    folder = setting('CONSOLE_DATA', '')
    if folder and not folder.endswith('/'):
        folder += '/'
    users = FileUsers(folder + 'users.json', max_users=20, check_password=check_password)
    if not len(users):
        run(first_account(users))
    Session(app, secret_key=load_or_create(folder + 'secret.key'), revoked_path=folder + 'revoked.json')
    keys = FileKeys(folder + 'keys.json', prefix='console', max_keys=20)
    login = Login()
    throttle = Throttle()
    device = Device()

    @login.user_loader
    async def load_user(user_id):
        return users.get_by_id(user_id)

    auth = any_of(login, APIKeyAuth(keys, load_user))

    @app.get('/style.css')
    async def style(request):
        return STYLE, 200, {'Content-Type': 'text/css; charset=UTF-8', 'Cache-Control': 'max-age=600'}

    @app.get('/login')
    async def login_form(request):
        return page('Log in', LOGIN)

    @app.post('/login')
    async def log_in(request):
        fields = form(request)
        name = fields.get('username', '')
        wait = throttle.attempt(name, source(request))
        if wait:
            problem = 'Too many attempts. Try again in %d seconds.' % wait
            return page('Log in', LOGIN, problem, 429, {'Retry-After': str(wait)})
        user = await users.authenticate(name, fields.get('password', ''))
        if user is None:
            challenge = {'WWW-Authenticate': 'Cookie realm="login", form-action="/login"'}
            return page('Log in', LOGIN, 'Name or password is wrong.', 401, challenge)
        throttle.succeeded(name, source(request))
        return await login.login_user(request, user, remember='remember' in fields)

    @app.post('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return redirect('/login', 303)

    @app.get('/')
    @login
    async def index(request):
        figures = device.figures()
        figures['name'] = request.g.current_user.name
        figures['switch'] = 'off' if device.light_on else 'on'
        return page('Device', INDEX, **figures)

    @app.get('/figures')
    @auth.requires('read')
    async def figures(request):
        return device.figures()

    @app.post('/light')
    @auth.requires('light')
    async def light(request):
        device.switch(form(request).get('light') == 'on')
        return device.figures() if hasattr(request.g, 'api_key') else redirect('/', 303)

    @app.get('/password')
    @login.fresh
    async def password_form(request):
        return page('Change password', PASSWORD, name=request.g.current_user.name)

    @app.post('/password')
    @login.fresh
    async def change_password(request):
        user = request.g.current_user
        fields = form(request)
        new = fields.get('new', '')
        if new != fields.get('again'):
            problem = 'The two new passwords differ.'
        elif throttle.attempt(user.name, source(request)):
            problem = 'Too many attempts. Try again later.'
        else:
            try:
                right = await users.change_password(user, fields.get('current', ''), new)
                problem = None if right else 'The current password is wrong.'
            except ValueError as error:
                right, problem = True, 'That will not do: %s.' % error
            if right:
                throttle.succeeded(user.name, source(request))
        if problem:
            return page('Change password', PASSWORD, problem, 400, name=user.name)
        return await login.login_user(request, user)  # everybody else who is logged in as this user is not any more

    @app.get('/keys')
    @login.fresh
    async def list_keys(request):
        return keys_page(keys.of_user(request.g.current_user))

    @app.post('/keys')
    @login.fresh
    async def make_key(request):
        user = request.g.current_user
        fields = form(request)
        days = fields.get('days', '')
        time = now()
        try:
            if days not in ('', '30', '365') or (days and time is None):
                raise ValueError('a key ends in 30 days, in a year or never')
            text = keys.create(user, fields.get('name', '').strip(), [scope for scope in SCOPES if scope in fields],
                               time + int(days) * DAY if days else None)
        except ValueError as error:
            return keys_page(keys.of_user(user), 'That will not do: %s.' % error, 400)
        return keys_page(keys.of_user(user), new=text)

    @app.post('/keys/revoke')
    @login.fresh
    async def revoke_key(request):
        keys.revoke(form(request).get('id', ''), request.g.current_user)
        return redirect('/keys', 303)

    @app.errorhandler(404)
    async def not_found(request):
        return page('Not here', '<h1>Not here</h1><p>There is no such page. <a href="/">Back</a></p>', status=404)

    return app


async def check_password(password, context):
    await check_strength(password, context + (DEVICE,))


async def first_account(users):
    """Make the account ``admin``: no device leaves with a password that another one has."""
    asked = await ask_password()
    while True:
        password = asked or made_up()
        try:
            await users.create('admin', password, SCOPES)
            break
        except WeakPassword:
            pass  # one in a thousand that are made up is taken for a common one
        except ValueError:
            return  # another process of this server was quicker
    if asked is None:
        print('\nThe account is made, and this is the only time its password is shown:')
        print('name: admin')
        print('password: ' + password + '\n')


def made_up():
    letters = b64url_encode(random_bytes(24)).lower().replace('-', '').replace('_', '')
    return '-'.join([letters[i:i + 4] for i in (0, 4, 8, 12, 16)])


async def ask_password():
    """Return a password typed twice, or ``None`` where there is no terminal to ask on."""
    if not hasattr(sys.stdin, 'isatty') or not sys.stdin.isatty():
        return None
    from getpass import getpass
    print('This console has no account yet. Choose a password for the account "admin".')
    while True:
        password = getpass('Password, at least 15 characters: ')
        try:
            await check_password(password, ('admin',))
        except WeakPassword as problem:
            print('That will not do: %s.' % problem)
            continue
        if password == getpass('And once more: '):
            return password
        print('These two differ.')


# --- the pages ------------------------------------------------------------------------------------

def escape(text):
    for c, entity in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('"', '&quot;'), ("'", '&#39;')):
        text = text.replace(c, entity)
    return text


def fill(html, **values):
    """Put each value where its name stands, and nothing where a value looks like one."""
    parts = html.split('{')
    for i in range(1, len(parts)):
        name, found, rest = parts[i].partition('}')
        parts[i] = escape(values[name]) + rest if found and name in values else '{' + parts[i]
    return ''.join(parts)


def page(title, body, problem=None, status=200, headers=None, **values):
    body = fill(body, **values) if values else body
    if problem:
        body = body.replace('</h1>', '</h1><p class="problem" role="alert">' + escape(problem) + '</p>', 1)
    all_headers = {
        'Content-Type': 'text/html; charset=UTF-8',
        'Content-Security-Policy': "default-src 'none'; style-src 'self'; script-src 'unsafe-inline'; "
                                   "img-src data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
                                   "base-uri 'none'",
        'Cache-Control': 'no-store',
        'Referrer-Policy': 'same-origin',
    }
    if headers:
        all_headers.update(headers)
    return HEAD.replace('{title}', title) + body + '</main></body></html>', status, all_headers


HEAD = '''<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title} · Console</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css"></head><body><main>
'''

# A page of its own, which browsers keep: a board sends each page in one piece, and small ones are sent sooner.
STYLE = '''\
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#5c6570;--line:#d9dee4;--main:#0b6b57;
--on:#fff;--bad:#a3261b}
@media(prefers-color-scheme:dark){:root{--page:#14171a;--card:#1e2327;--text:#e8ebee;--soft:#9aa5b1;--line:#353c43;
--main:#4cc3a5;--on:#08251e;--bad:#ff9a8f}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);font:17px/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:0 auto;padding:2rem 1rem}h1{font-size:1.5rem;margin:0 0 1rem}
form,.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:1.25rem;margin:0 0 1rem}
label{display:block;margin:0 0 .9rem;font-weight:600}.check{display:flex;gap:.5rem;font-weight:400}
input:not([type=checkbox]),select{display:block;width:100%;margin-top:.25rem;padding:.65rem .75rem;font:inherit;
color:inherit;background:var(--page);border:1px solid var(--line);border-radius:8px}
button{width:100%;padding:.7rem;font:inherit;font-weight:600;color:var(--on);background:var(--main);border:0;
border-radius:8px;cursor:pointer}.quiet{background:none;color:var(--text);border:1px solid var(--line)}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}a{color:var(--main)}
dl{display:grid;grid-template-columns:1fr 1fr;gap:1rem;margin:0}dt{color:var(--soft);font-size:.85rem}
dd{margin:0;font-size:1.35rem;font-variant-numeric:tabular-nums}
[hidden]{display:none!important}.problem{margin:0 0 1rem;background:var(--card);border:1px solid var(--bad);
color:var(--bad);border-radius:8px;padding:.7rem 1rem}
.row{display:flex;gap:1rem;align-items:center;justify-content:space-between;margin:0 0 1rem}.row h1{margin:0}
.row form{border:0;padding:0;margin:0;background:none}.row button{width:auto}.soft{color:var(--soft)}
.card .row{margin:0}.card p{margin:0 0 .5rem;overflow-wrap:anywhere}.card p:last-child{margin:0}
::placeholder{color:var(--soft);opacity:1}
'''

LOGIN = '''<h1>Log in</h1>
<form method="post">
<label>Name <input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
</label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<label class="check"><input name="remember" type="checkbox"> Stay logged in here for 30 days</label>
<button>Log in</button>
</form>
'''

INDEX = '''<div class="row"><h1>Device</h1><form method="post" action="/logout"><button class="quiet">Log out</button>
</form></div>
<div class="card"><dl>
<div><dt>Temperature</dt><dd id="temperature">{temperature}</dd></div>
<div><dt>Light</dt><dd id="light">{light}</dd></div>
<div><dt>Running for</dt><dd id="uptime">{uptime}</dd></div>
<div><dt>Free memory</dt><dd id="memory">{memory}</dd></div>
</dl></div>
<form method="post" action="/light">
<button name="light" id="switch" value="{switch}">Switch the light {switch}</button></form>
<p class="soft">Logged in as {name}. <a href="/keys">API keys</a>, <a href="/password">Change password</a></p>
<script>
setInterval(async () => {
  const answer = await fetch('/figures', {headers: {Accept: 'application/json'}}).catch(() => null)
  if (answer && answer.status == 401) location.reload()
  if (!answer || !answer.ok) return
  const figures = await answer.json(), button = document.getElementById('switch')
  for (const name in figures) document.getElementById(name).textContent = figures[name]
  button.value = figures.light == 'on' ? 'off' : 'on'
  button.textContent = 'Switch the light ' + button.value
}, 5000)
</script>
'''

PASSWORD = '''<h1>Change password</h1>
<form method="post">
<input name="username" value="{name}" autocomplete="username" hidden>
<label>Current password <input name="current" type="password" autocomplete="current-password" required></label>
<label>New password <input name="new" type="password" autocomplete="new-password" minlength="15" required
aria-describedby="hint"></label>
<label>New password again <input name="again" type="password" autocomplete="new-password" minlength="15" required>
</label>
<p id="hint" class="soft">At least 15 characters: four or five words that you pick at random, say. Changing it logs out
every other browser.</p>
<button>Change password</button>
</form>
<p><a href="/">Back</a></p>
'''

KEYS = '''<h1>API keys</h1>
{new}<form method="post" action="/keys">
<label>Name <input name="name" maxlength="64" autocomplete="off" placeholder="What will use it" required></label>
<label class="check"><input name="read" type="checkbox" checked> May read the figures</label>
<label class="check"><input name="light" type="checkbox"> May switch the light</label>
<label>Ends <select name="days">{ends}<option value="">never</option></select></label>
<button>Make a key</button>
</form>
{keys}<p><a href="/">Back</a></p>
'''

ENDS = '<option value="30">in 30 days</option><option value="365">in a year</option>'

NEW_KEY = '''<div class="card" role="status"><p>Your new key. It is shown this once, so copy it now:</p>
<p><code>{key}</code></p><p class="soft">Programs send it as the header X-API-Key, to /figures for one.</p></div>
'''

KEY = '''<div class="card"><div class="row"><div><p><b>{name}</b></p>
<p class="soft">{scopes}<br>Last used: {used}<br>{end}</p></div>
<form method="post" action="/keys/revoke"><button class="quiet" name="id" value="{id}">Revoke</button></form>
</div></div>
'''


def keys_page(keys, problem=None, status=200, new=None):
    cards = [fill(KEY, name=key.name, scopes='Scopes: ' + (', '.join(key.scopes) or 'none'),
                  used=ago(key.last_used), end=until(key), id=key.id) for key in keys]
    body = KEYS.replace('{ends}', ENDS if now() else '').replace('{new}', fill(NEW_KEY, key=new) if new else '')
    return page('API keys', body.replace('{keys}', ''.join(cards)), problem, status)


def ago(time):
    if time is None:
        return 'never'
    seconds = (now() or 0) - time
    if not time or seconds < 0:
        return 'while the clock was not right'
    return 'in the last hour' if seconds < 2 * 3600 else span(seconds) + ' ago'


def until(key):
    if key.expires is None:
        return 'Never ends'
    return 'Has ended, or the clock is not set' if key.is_expired() else 'Ends in ' + span(key.expires - now())


def span(seconds):
    return '%d days' % (seconds // DAY) if seconds >= 2 * DAY else '%d hours' % (seconds // 3600)


if __name__ == '__main__':
    on_board = sys.platform not in ('linux', 'darwin', 'win32')
    host = setting('HOST', '0.0.0.0' if on_board else '127.0.0.1')
    port = int(setting('PORT', '80' if on_board else '8000'))
    app = create_app(Microdot())
    print('The console is on http://%s:%d' % (host, port))
    app.run(host=host, port=port)

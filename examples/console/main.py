"""A device console behind a login: see how the device is doing, switch its light, look after one's account.

There are a form to log in, and pages for one's own account. keys.py adds API keys, with which programs come. people.py
adds what needs more memory than a Pico has: second factors, other accounts, acting for them, and what happened. A
console that lacks one of these files lacks what it is for.

The same files run on a Pico or an ESP32, under MicroPython on a computer, and on CPython with Microdot's own server
(``python main.py``), uvicorn (asgi.py) or gunicorn (wsgi.py).

At its first start it has no account. It prints a code, and who types that on its page becomes its owner. To have it
forget the owner and all that it keeps: ``python main.py reset`` on a computer. On a board, hold RESET_PIN to 3.3 V
while it starts, or say ``mpremote exec "import main; main.reset()"`` and start it anew.

It reads three settings from the environment where there is one: HOST (default 127.0.0.1 on a computer, every address
on a board), PORT (8000 on a computer, 80 on a board) and CONSOLE_DATA, the folder of its files.
"""
import gc
import os
import sys
import time

if hasattr(gc, 'threshold'):
    gc.threshold(16384)  # on a board: what importing leaves behind would lie between what stays, and no page would fit

from microdot import Microdot, redirect

from dotlatch import pages
from dotlatch.accountpages import AccountPages
from dotlatch.csrf import CSRF
from dotlatch.files import load_or_create
from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.passwords import check_strength
from dotlatch.portable import uptime_ms
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers

try:
    import machine
except ImportError:
    machine = None  # no board: the sensor and the light are simulated
try:
    import keys
except ImportError:
    keys = None
try:
    import people
except ImportError:
    people = None

STARTED = 0 if machine else uptime_ms()
DEVICE = 'greenhouse console'          # a word of it is no password
SCOPES = ['read', 'light', 'people']   # what the owner may do
RESET_PIN = 22


def setting(name, default):
    return os.getenv(name) or default if hasattr(os, 'getenv') else default


def data_folder():
    folder = setting('CONSOLE_DATA', '')
    return folder + '/' if folder and not folder.endswith('/') else folder


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

class Console:
    """What the pages share."""
    def __init__(self, app, folder):
        self.events = people.Events(200) if people else None
        self.users = FileUsers(folder + 'users.json', max_users=20, check_password=check_password, events=self.events)
        is_new = not len(self.users)  # before the key is read: an owner who comes meanwhile has another
        secret_key = load_or_create(folder + 'secret.key')
        throttle = Throttle(max_entries=16 if machine else 64, path=folder + 'throttle.bin', events=self.events)
        if people:
            Session(app, secret_key, store=people.FileStore(folder + 'sessions'))
            self.login = people.login(self.users, throttle, self.events, DEVICE)
        else:  # sessions in cookies: a list of them takes memory, too
            Session(app, secret_key, revoked_path=folder + 'revoked.json')
            self.login = Login(users=self.users, throttle=throttle)
        CSRF(app)
        self.site = LoginPages(app, self.login, render=render, title='Console',
                               headers={'Content-Security-Policy': POLICY})
        AccountPages(self.site, qr=people.svg if people else None)
        if is_new:
            wait_for_owner(self.site, folder)

    async def show(self, request, template, status=200, **context):
        """Return a page of the console's own, with a line on top for who acts for somebody else."""
        user = await self.login.get_current_user(request)
        actor = request.g.original_user
        if user is not None:
            context['user'] = user.name
        if actor is not None:
            context['actor'] = actor.name
            template = people.with_actor(template)
        return await self.site.show(request, template, status, **context)


def render(name, **context):
    """Return one of the pages that come with the login, by name, or one of our own templates."""
    return pages.pieces(name, **context) if isinstance(name, str) else pages.filled(name, **context)


def create_app(app):
    folder = data_folder()
    console = Console(app, folder)
    login = auth = console.login
    device = Device()
    if keys:
        auth = keys.add(app, console, folder + 'keys.json')
    if people:
        people.add(app, console)

    @app.get('/')
    @login
    async def index(request):
        user = request.g.current_user
        return await console.show(
            request, INDEX, reads='read' in user.scopes, switches='light' in user.scopes, keys_page=keys,
            people_page=people and people.SCOPE in user.scopes, switch='off' if device.light_on else 'on',
            **device.figures())

    @app.get('/console.js')
    async def script(request):
        return SCRIPT, 200, {'Content-Type': 'text/javascript; charset=UTF-8', 'Cache-Control': 'max-age=600'}

    @app.get('/figures')
    @auth.requires('read')
    async def figures(request):
        return device.figures()

    @app.post('/light')
    @auth.requires('light')
    async def light(request):
        device.switch(form(request).get('light') == 'on')
        return device.figures() if hasattr(request.g, 'api_key') else redirect('/', 303)

    @app.errorhandler(404)
    async def not_found(request):
        return await console.show(request, LOST, 404)

    return app


async def check_password(password, context):
    await check_strength(password, context + (DEVICE,))


# --- the owner ------------------------------------------------------------------------------------

def wait_for_owner(site, folder):
    from dotlatch.claim import Claim  # here: no global name keeps it in memory
    Claim(site, folder + 'secret.key', scopes=SCOPES)


def reset():
    """Forget the owner, and all that is kept."""
    from dotlatch.claimreset import reset as forget
    folder = data_folder()
    forget(*[folder + name for name in ('users.json', 'secret.key', 'keys.json', 'sessions', 'revoked.json',
                                             'throttle.bin')])
    print('The console has forgotten its owner.')


def is_reset_held():
    """Tell whether a board's button for it is held, for two seconds."""
    if not hasattr(machine, 'Pin'):
        return False
    pin = machine.Pin(RESET_PIN, machine.Pin.IN, machine.Pin.PULL_DOWN)
    for _ in range(20):
        if not pin.value():
            return False
        time.sleep(0.1)
    return True


# --- the pages ------------------------------------------------------------------------------------

POLICY = ("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
          "form-action 'self'; frame-ancestors 'none'; base-uri 'none'")

INDEX = b'''Device
{#reads}<div class="card"><p>Temperature: <b id="temperature">{temperature}</b></p>
<p>Light: <b id="light">{light}</b></p>
<p>Running for: <b id="uptime">{uptime}</b></p>
<p>Free memory: <b id="memory">{memory}</b></p></div>
{/}{#switches}<form method="post" action="/light">
<button name="light" id="switch" value="{switch}">Switch the light {switch}</button></form>
{/}<form class="list" method="post" action="/logout"><div class="row"><p class="soft">Logged in as {user}.
<a href="/account">Account</a>{#keys_page}, <a href="/keys">API keys</a>{/}{#people_page},
<a href="/people">People</a>, <a href="/audit">What happened</a>{/}</p>
<button class="quiet">Log out</button></div></form>
{#reads}<script src="/console.js"></script>
{/}'''

LOST = b'''Not here
<p>There is no such page. <a href="/">Back</a></p>
'''

SCRIPT = b'''\
setInterval(async () => {
  const answer = await fetch('/figures', {headers: {Accept: 'application/json'}}).catch(() => null)
  if (answer && answer.status == 401) location.reload()
  if (!answer || !answer.ok) return
  const figures = await answer.json(), button = document.getElementById('switch')
  for (const name in figures) document.getElementById(name).textContent = figures[name]
  if (!button) return
  button.value = figures.light == 'on' ? 'off' : 'on'
  button.textContent = 'Switch the light ' + button.value
}, 5000)
'''


if __name__ == '__main__':
    if 'reset' in sys.argv[1:] or is_reset_held():
        reset()
    on_board = sys.platform not in ('linux', 'darwin', 'win32')
    host = setting('HOST', '0.0.0.0' if on_board else '127.0.0.1')
    port = int(setting('PORT', '80' if on_board else '8000'))
    app = create_app(Microdot())
    print('The console is on http://%s:%d' % (host, port))
    app.run(host=host, port=port)

"""A board of the fleet: it knows nobody by name, and lets in whom the central app has sent.

The same file runs on a Pico W or an ESP32 (copy it there as main.py, beside board.json), under MicroPython on a
computer and on CPython. board.json is what ``python central.py board pump-7 http://pump-7.lan`` has printed.

It reads three settings from the environment where there is one: HOST (default 127.0.0.1 on a computer, every address
on a board), PORT (8001 on a computer, 80 on a board) and FLEET_DATA, the folder of board.json and secret.key.
"""
import json
import os
import sys

from microdot import Microdot, redirect

from dotlatch import files
from dotlatch.auth import any_of
from dotlatch.csrf import CSRF
from dotlatch.fleet import FleetAuth
from dotlatch.fleetlogin import FleetLogin
from dotlatch.http import form
from dotlatch.portable import now
from dotlatch.session import Session


def setting(name, default):
    return os.getenv(name) or default if hasattr(os, 'getenv') else default


def create_app(app):
    folder = setting('FLEET_DATA', '')
    if folder and not folder.endswith('/'):
        folder += '/'
    with open(folder + 'board.json') as file:
        me = json.loads(file.read())
    Session(app, secret_key=files.load_or_create(folder + 'secret.key'))
    login = FleetLogin(me['key'], me['id'], me['central'])        # people
    auth = any_of(login, FleetAuth(me['key'], me['id']))          # and scripts
    state = {'board': me['id'], 'valve': 'shut'}

    csrf = CSRF(app)
    app.post('/fleet')(csrf.exempt(login.enter))                  # which looks for itself: central pages alone send it

    @app.get('/')
    @auth
    async def index(request):
        return page(PAGE, name=request.g.current_user['name'], board=me['id'], valve=state['valve'])

    @app.get('/state')
    @auth.requires('read')
    async def read(request):
        return state

    @app.post('/valve')
    @auth.requires('write')
    async def write(request):
        state['valve'] = 'open' if form(request).get('valve') == 'open' else 'shut'
        return redirect('/', 303)

    @app.post('/logout')
    async def log_out(request):
        await login.logout(request)
        return page('<p>You are logged out of this board.</p>')

    return app


def set_clock():
    """Ask the network for the time: without it no token can be judged, and nobody gets in."""
    try:
        import ntptime
        ntptime.settime()
    except (ImportError, OSError):
        print('No time from the network.')


def page(body, **values):
    for name in values:
        body = body.replace('{' + name + '}', escape(values[name]))
    return '<!doctype html><html lang="en"><meta charset="utf-8"><title>Board</title>' + body, {
        'Content-Type': 'text/html; charset=UTF-8', 'Cache-Control': 'no-store',
        'Content-Security-Policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"}


def escape(text):
    for c, entity in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('"', '&quot;')):
        text = text.replace(c, entity)
    return text


PAGE = '''<h1>{board}</h1><p>Hello, {name}. The valve is {valve}.</p>
<form method="post" action="/valve"><button name="valve" value="open">Open</button>
<button name="valve" value="shut">Shut</button></form>
<form method="post" action="/logout"><button>Log out</button></form>
'''

if __name__ == '__main__':
    on_board = sys.platform not in ('linux', 'darwin', 'win32')
    if now() is None:
        set_clock()
    host = setting('HOST', '0.0.0.0' if on_board else '127.0.0.1')
    port = int(setting('PORT', '80' if on_board else '8001'))
    app = create_app(Microdot())
    print('The board is on http://%s:%d' % (host, port))
    app.run(host=host, port=port)

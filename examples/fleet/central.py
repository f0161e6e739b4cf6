"""The place where a fleet's people log in, and the only one with the master key. It runs on CPython:

    python central.py user anna read write                            # asks for a password
    python central.py board pump-7 http://pump-7.lan > board.json     # for the board's flash
    uvicorn central:app

People open http://127.0.0.1:8000, log in and choose a board. A script asks for a token and shows it to the board:

    curl -u anna -X POST http://127.0.0.1:8000/api/boards/pump-7/token     # {"token": "eyJ...", "expires_in": 300}
    curl -H "Authorization: Bearer eyJ..." http://pump-7.lan/state

Two settings come from the environment: FLEET_DATA, the folder for its files (here, unless given), and FLEET_CENTRAL,
the address at which browsers find it (http://127.0.0.1:8000).
"""
import getpass
import json
import os
import sys
from html import escape
from pathlib import Path

from microdot import abort, redirect

from dotlatch import files
from dotlatch.auth import BasicAuth
from dotlatch.csrf import CSRF
from dotlatch.fleet import board_key, issue
from dotlatch.fleetlogin import handover, issue_login
from dotlatch.http import form, source
from dotlatch.login import Login
from dotlatch.portable import run
from dotlatch.server.asgi import Microdot
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers

DATA = Path(os.environ.get('FLEET_DATA', '.'))
CENTRAL = os.environ.get('FLEET_CENTRAL', 'http://127.0.0.1:8000')
TTL = 300  # seconds that a script's token is good for


def data(name):
    return str(DATA / name)


def master_key():
    return files.load_or_create(data('master.key'))


def read_boards():
    """Each board's id, and where it is."""
    return json.loads(files.read(data('boards.json')) or '{}')


# --- the app --------------------------------------------------------------------------------------

def create_app():
    app = Microdot()
    # A name of its own: browsers keep one set of cookies for all the ports of a host.
    Session(app, secret_key=files.load_or_create(data('secret.key')), name='central',
            revoked_path=data('revoked.json'))
    CSRF(app)  # or a page of somebody else's could log a visitor in here as somebody else, and so on every board
    users = FileUsers(data('users.json'))
    throttle = Throttle()
    login = Login()
    basic = BasicAuth(realm='Fleet', throttle=throttle)
    master = master_key()
    boards = read_boards()

    @login.user_loader
    async def load_user(user_id):
        return users.get_by_id(user_id)

    @basic.authenticate
    async def check(request, username, password):
        return await users.authenticate(username, password)

    @app.get('/login')
    async def login_form(request):
        return page(LOGIN)

    @app.post('/login')
    async def log_in(request):
        fields = form(request)
        name = fields.get('username', '')
        wait = await throttle.attempt(name, source(request))
        if wait:
            return page(LOGIN, f'Too many attempts. Try again in {wait} seconds.', 429, {'Retry-After': str(wait)})
        user = await users.authenticate(name, fields.get('password', ''))
        if user is None:
            challenge = {'WWW-Authenticate': 'Cookie realm="login", form-action="/login"'}
            return page(LOGIN, 'Name or password is wrong.', 401, challenge)
        await throttle.succeeded(name, source(request))
        return await login.login_user(request, user)

    @app.post('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return redirect('/login', 303)

    @app.get('/')
    @login
    async def index(request):
        links = ''.join([f'<li><a href="/boards/{escape(name)}">{escape(name)}</a></li>' for name in boards])
        return page(INDEX.format(name=escape(request.g.current_user.name), links=links))

    @app.get('/boards/<board_id>')
    @login
    async def to_the_board(request, board_id):
        if board_id not in boards:
            abort(404)
        user = request.g.current_user
        token = issue_login(master, board_id, user, user.scopes)
        return handover(boards[board_id] + '/fleet', token, request.args.get('next'))

    @app.post('/api/boards/<board_id>/token')
    @basic
    async def token(request, board_id):
        if board_id not in boards:
            abort(404)
        user = request.g.current_user
        return {'token': issue(master, board_id, user, user.scopes, TTL), 'expires_in': TTL}

    return app


# --- the command line -----------------------------------------------------------------------------

def add_user(name, *scopes):
    password = getpass.getpass('Password: ') if sys.stdin.isatty() else sys.stdin.readline().rstrip('\n')
    run(FileUsers(data('users.json')).create(name, password, list(scopes)))


def add_board(board_id, url):
    key = board_key(master_key(), board_id)
    files.replace(data('boards.json'), json.dumps({**read_boards(), board_id: url.rstrip('/')}).encode())
    print(json.dumps({'id': board_id, 'key': key, 'central': f'{CENTRAL}/boards/{board_id}'}))


# --- the pages ------------------------------------------------------------------------------------

def page(body, problem='', status=200, headers=None):
    problem = f'<p role="alert">{escape(problem)}</p>' if problem else ''
    return HEAD + problem + body + '</main></body></html>', status, {
        'Content-Type': 'text/html; charset=UTF-8', 'Cache-Control': 'no-store',
        'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
                                   "frame-ancestors 'none'; base-uri 'none'", **(headers or {})}


HEAD = '''<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Fleet</title><link rel="icon" href="data:,"><style>
:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:0}main{max-width:24rem;margin:3rem auto;
padding:0 1rem}label{display:block;margin:0 0 1rem}input{display:block;width:100%;box-sizing:border-box;font:inherit;
padding:.5rem}button{font:inherit;padding:.5rem 1rem}li{margin:.5rem 0}
</style></head><body><main>
'''

LOGIN = '''<h1>Log in</h1>
<form method="post">
<label>Name <input name="username" autocomplete="username" autocapitalize="none" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button>Log in</button>
</form>
'''

INDEX = '''<h1>Boards</h1>
<p>Logged in as {name}.</p>
<ul>{links}</ul>
<form method="post" action="/logout"><button>Log out</button></form>
'''

COMMANDS = {'user': add_user, 'board': add_board}

if __name__ == '__main__':
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
else:
    app = create_app()  # uvicorn central:app

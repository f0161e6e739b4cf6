"""A greenhouse behind a login form: what a board's owner would write, for the tests that need some app on a board."""
import asyncio

from microdot import Microdot

from dotlatch import passwords
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers

PASSWORD = 'tulip harbour nine lantern'


async def create_app(iterations=None, throttle=None):
    if iterations:
        passwords.ITERATIONS = iterations
    users = MemoryUsers()
    await users.create('anna', PASSWORD)
    app = Microdot()
    Session(app, secret_key='a secret of thirty-two characters')
    login = Login(users=users, throttle=throttle or Throttle())
    LoginPages(app, login, title='Greenhouse')

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name

    return app


async def serve(app, visit, port):
    """Serve the app while `visit()` goes on."""
    server = asyncio.create_task(app.start_server('127.0.0.1', port))
    await asyncio.sleep_ms(100)  # until it listens
    await visit()
    app.shutdown()
    await server

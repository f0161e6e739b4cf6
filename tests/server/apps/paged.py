"""The ready-made pages, with everything that they can show; the account is made at the start."""

import sys

from dotlatch import passwords
from dotlatch.accountpages import AccountPages
from dotlatch.csrf import CSRF
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.portable import run
from dotlatch.second import SecondFactor
from dotlatch.session import Session
from dotlatch.stores import MemoryStore
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers

PASSWORD = "correct horse battery staple"

passwords.ITERATIONS = 1000


def create_app(app):
    CSRF(app)
    Session(app, secret_key="the key of the tests: 32 bytes or more of it", store=MemoryStore())
    users = MemoryUsers()
    run(users.create("admin", PASSWORD))
    login = Login(users=users, throttle=Throttle(free=3), second_factor=SecondFactor(users, issuer="Greenhouse"))
    AccountPages(LoginPages(app, login, title="Greenhouse"), qr=drawer())

    @app.get("/")
    @login
    async def index(request):
        return "Hello, " + request.g.current_user.name


def drawer():
    if sys.implementation.name == "micropython":
        return None  # a board has none
    from dotlatch.server.qr import svg
    return svg

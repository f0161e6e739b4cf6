"""A device without an owner that several workers are at once; each says which process it is in all that it tells."""

import os

from dotlatch import passwords
from dotlatch.claim import Claim
from dotlatch.files import load_or_create
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers

EXPIRES = 10**9  # no other code until 2033
SHORTEST = 15


def create_app(app):
    passwords.ITERATIONS = 2
    folder = os.environ["CONSOLE_DATA"]
    users = FileUsers(folder + "/users.json", check_password=check_password)
    is_new = not len(users)
    Session(app, secret_key=load_or_create(folder + "/secret.key"))
    login = Login(users=users, throttle=Throttle())
    site = LoginPages(app, login)
    if is_new:
        Claim(site, folder + "/secret.key", tell=tell, expires=EXPIRES)

    @app.get("/")
    @login
    async def index(request):
        return f"{request.g.current_user.name} in process {os.getpid()}"

    return app


def check_password(password, context):
    if len(password) < SHORTEST:
        raise ValueError(f"it is too short for process {os.getpid()}")


def tell(code):
    print(f"process {os.getpid()} says: type this code: {code}", flush=True)

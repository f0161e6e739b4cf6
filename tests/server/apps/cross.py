"""Routes that refuse in every way, for pages of another origin: the one that `PAGE` names."""

import os

from microdot.cors import CORS

from dotlatch.auth import BasicAuth, TokenAuth, any_of
from dotlatch.login import Login
from dotlatch.session import Session
from dotlatch.throttle import Throttle

TOKEN = "token-of-the-tests"


def create_app(app):
    CORS(app, allowed_origins=[os.getenv("PAGE")], allow_credentials=True, expose_headers=["WWW-Authenticate"])
    Session(app, secret_key="the key of the tests: 32 bytes or more of it")
    login = Login()
    basic = BasicAuth(scheme="xBasic", allow_http=True)
    token = TokenAuth(allow_http=True)
    busy = TokenAuth(allow_http=True, throttle=Throttle())
    down = TokenAuth(allow_http=True)

    @login.user_loader
    async def load_user(user_id):
        return user_id

    @basic.authenticate
    async def check(request, username, password):
        return username if password == "right" else None

    @token.authenticate
    @busy.authenticate
    async def check_token(request, value):
        return "anna" if value == TOKEN else None

    @down.authenticate
    async def check_down(request, value):
        raise OSError("database")

    @basic.errorhandler
    async def refuse(request):
        return {"error": "who are you?"}

    @app.get("/enter")
    async def enter(request):
        return await login.login_user(request, "anna", redirect_url="/page")

    @app.get("/page")
    async def page(request):
        return "<!doctype html><title>page</title>", {"Content-Type": "text/html"}

    async def say(request):
        return {"user": request.g.current_user}

    for name, auth in (("login", login), ("basic", basic), ("token", token), ("busy", busy), ("down", down),
                       ("scopes", token.requires("admin")), ("any", any_of(login, token, basic))):
        app.route("/" + name, methods=["GET", "PUT"])(auth(say))

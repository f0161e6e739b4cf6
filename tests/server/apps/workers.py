"""An app that several workers are at once, with all that they must agree on in the Redis at `REDIS_URL`.

`SESSIONS` says whether sessions are in cookies or in the store; `USERS` is the file of the users. Every answer says in
a header which process it came from.
"""

import os

from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.digest import DigestAuth
from dotlatch.fleet import board_key
from dotlatch.fleetlogin import FleetLogin
from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.second import SecondFactor
from dotlatch.server.redis import RedisBackend
from dotlatch.server.redis_throttle import RedisThrottle
from dotlatch.session import Session
from dotlatch.tickets import TicketAuth
from dotlatch.users import FileUsers

KEY = "the key of the tests: 32 bytes or more of it"
PASSWORD = "correct horse battery staple"
TOKEN = "token-of-the-tests"
MASTER = bytes(range(32))
CENTRAL = "https://central.lan"


def create_app(app):
    redis = RedisBackend(os.environ["REDIS_URL"], prefix=os.environ["PREFIX"], timeout=1)
    if os.environ["SESSIONS"] == "store":
        Session(app, secret_key=KEY, store=redis.store)
    else:
        Session(app, secret_key=KEY, revoked=redis.revoked)
    users = FileUsers(os.environ["USERS"])
    # All tests come from one address.
    throttle = RedisThrottle(redis.server, os.environ["PREFIX"], source_free=240, overall_free=6000)
    login = Login(users=users, throttle=throttle, second_factor=SecondFactor(users))
    basic = BasicAuth(realm="tests", allow_http=True, throttle=throttle)
    token = TokenAuth(realm="tests", allow_http=True)
    ticket = TicketAuth(KEY, used=redis.tickets, anywhere=True)
    people = FleetLogin(board_key(MASTER, "pump-7"), "pump-7", CENTRAL + "/boards/pump-7", used=redis.tickets)
    digest = DigestAuth(realm="tests", nonces=redis.nonces)
    digested = {"anna": {"id": "anna", "digest_ha1": digest.make_ha1("anna", PASSWORD)}}

    def say_which(request, response):
        response.headers["X-Process"] = str(os.getpid())

    app.after_request(say_which)
    app.after_error_request(say_which)

    @basic.authenticate
    async def check_password(request, name, password):
        return {"id": name} if password == PASSWORD else None

    @token.authenticate
    async def check_token(request, text):
        return {"id": "anna"} if text == TOKEN else None

    @digest.authenticate
    async def find(request, name):
        return digested.get(name)

    @ticket.user_loader
    async def load(user_id):
        return {"id": user_id}

    @app.post("/login")
    async def log_in(request):
        fields = form(request)
        user = users.get_by_name(fields["name"])
        return await login.login_user(request, user, remember="remember" in fields)

    @app.post("/login/code")
    async def enter_code(request):
        return await login.enter_code(request, form(request)["code"]) or ("no", 401)

    @app.post("/logout")
    async def log_out(request):
        await login.logout_user(request)
        return "bye"

    @app.get("/who")
    async def who(request):
        user = await login.get_current_user(request)
        return user.name if user else "nobody"

    @app.get("/basic")
    @basic
    async def by_basic(request):
        return "in"

    @app.get("/digest")
    @digest
    async def by_digest(request):
        return "in"

    @app.post("/ticket")
    @token
    async def issue(request):
        return await ticket.issue(request, "/ticketed")

    @app.get("/ticketed")
    @ticket
    async def by_ticket(request):
        return "in"

    app.post("/fleet")(people.enter)

    @app.get("/sent")
    @people
    async def sent(request):
        return request.g.current_user["name"]

    return app

"""WebSockets and event streams behind each way in. A stream says who listens and ends, but for /sse/live/..., which
waits, as do the WebSockets of /ws/live/..., until the login or the token is no more."""

import asyncio

from microdot.sse import with_sse

from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.live import Live
from dotlatch.login import Login
from dotlatch.session import Session
from dotlatch.tickets import TicketAuth

PASSWORD = "correct horse battery staple"
TOKEN = "token-of-the-tests"


def create_app(app):
    if hasattr(app, "asgi_app"):
        from microdot.asgi import with_websocket
    elif hasattr(app, "wsgi_app"):
        from microdot.wsgi import with_websocket
    else:
        from microdot.websocket import with_websocket

    Session(app, secret_key="the key of the tests: 32 bytes or more of it")
    login = Login()
    basic = BasicAuth(realm="tests", allow_http=True)
    token = TokenAuth(realm="tests", allow_http=True)
    ticket = TicketAuth("the key of the tests: 32 bytes or more of it")
    live = Live()
    revoked = []

    @login.user_loader
    @ticket.user_loader
    async def load_user(user_id):
        return None if user_id in revoked else user_id

    @basic.authenticate
    async def check_password(request, username, password):
        return username if password == PASSWORD else None

    @token.authenticate
    async def check_token(request, value):
        return "anna" if value == TOKEN and value not in revoked else None

    @app.post("/login")
    async def log_in(request):
        return await login.login_user(request, "anna", remember=True)

    @app.post("/logout")
    async def log_out(request):
        await login.logout_user(request)
        return "bye"

    @app.post("/revoke/<name>")
    async def revoke(request, name):
        revoked.append(name)
        return "done"

    @app.post("/ticket/<kind>")
    @token
    async def new_ticket(request, kind):
        return await ticket.issue(request, "/" + kind + "/ticket")

    async def talk(request, ws):
        while True:
            message = await ws.receive()
            await ws.send(request.g.current_user + " says " + message)

    async def tell(request, sse):
        await sse.send("hello " + request.g.current_user)

    async def tell_and_wait(request, sse):
        await tell(request, sse)
        while True:
            await asyncio.sleep(60)

    for name, guard in (("login", login), ("fresh", login.fresh), ("basic", basic), ("token", token),
                        ("ticket", ticket)):
        app.get("/ws/" + name)(guard(with_websocket(talk)))
        app.get("/sse/" + name)(guard(with_sse(tell)))
        app.get("/ws/live/" + name)(guard(with_websocket(live(talk))))
        app.get("/sse/live/" + name)(guard(with_sse(live(tell_and_wait))))

    @app.get("/open")
    async def count(request):
        return str(live.count())

    @app.get("/page")
    async def page(request):
        return "<!DOCTYPE html><title>a page</title>", {"Content-Type": "text/html"}

    @app.get("/")
    async def index(request):
        return "fine"

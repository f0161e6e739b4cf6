"""WebSockets and event streams behind each way in. A stream says who listens and ends."""

from microdot.sse import with_sse

from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.login import Login
from dotlatch.session import Session

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

    @login.user_loader
    async def load_user(user_id):
        return user_id

    @basic.authenticate
    async def check_password(request, username, password):
        return username if password == PASSWORD else None

    @token.authenticate
    async def check_token(request, value):
        return "anna" if value == TOKEN else None

    @app.post("/login")
    async def log_in(request):
        return await login.login_user(request, "anna", remember=True)

    async def talk(request, ws):
        while True:
            message = await ws.receive()
            await ws.send(request.g.current_user + " says " + message)

    async def tell(request, sse):
        await sse.send("hello " + request.g.current_user)

    for name, guard in (("login", login), ("fresh", login.fresh), ("basic", basic), ("token", token)):
        app.get("/ws/" + name)(guard(with_websocket(talk)))
        app.get("/sse/" + name)(guard(with_sse(tell)))

    @app.get("/")
    async def index(request):
        return "fine"

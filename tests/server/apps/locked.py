"""Everything locked but `/static/*`, or nothing but `/admin` and below, if `PART` says so; and a catch-all route that
would tell a secret to whoever came by another way.
"""

import os

from microdot.sse import with_sse

from dotlatch.auth import TokenAuth
from dotlatch.guard import Guard

TOKEN = "token-of-the-tests"


def create_app(app):
    if hasattr(app, "asgi_app"):
        from microdot.asgi import with_websocket
    elif hasattr(app, "wsgi_app"):
        from microdot.wsgi import with_websocket
    else:
        from microdot.websocket import with_websocket

    token = TokenAuth(realm="tests", allow_http=True)

    @token.authenticate
    async def check_token(request, value):
        if value == "down":
            raise OSError("database")
        return "anna" if value == TOKEN else None

    if os.getenv("PART"):
        Guard(app, token, include=["/admin/*", "/ws", "/sse"])
    else:
        Guard(app, token, exclude=["/static/*"])

    @app.get("/static/<path:name>")
    async def static(request, name):
        return "open"

    @app.get("/ws")
    @with_websocket
    async def talk(request, ws):
        while True:
            message = await ws.receive()
            await ws.send(request.g.current_user + " says " + message)

    @app.get("/sse")
    @with_sse
    async def tell(request, sse):
        await sse.send("hello " + request.g.current_user)

    @app.get("/admin")
    async def admin(request):
        return await everything(request, "admin")

    @app.get("/<path:any>")
    async def everything(request, any):
        return "the secret, for " + str(getattr(request.g, "current_user", None))

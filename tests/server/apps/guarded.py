"""An app with one route for every way in that dotlatch has; `ANSWERED` says it is well."""

from microdot import redirect

from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.session import Session, with_session

KEY = "the key of the tests: 32 bytes or more of it"
PASSWORD = "correct horse battery staple"
TOKEN = "token-of-the-tests"
ANSWERED = "Hello, anna"
LARGE = 20_000_000  # more than sockets keep for a reader who is late


class User:
    password_hash = "as good as any"
    session_version = 0

    def __init__(self, id, name):
        self.id = id
        self.name = name


ANNA = User("u1", "anna")
USERS = {"u1": ANNA, "b2": User("b2", "ben")}


def create_app(app):
    Session(app, secret_key=KEY)
    login = Login()
    basic = BasicAuth(realm="tests", allow_http=True)
    token = TokenAuth(realm="tests", allow_http=True)

    @login.user_loader
    async def load_user(user_id):
        return USERS.get(user_id) if isinstance(user_id, str) else None

    @basic.authenticate
    async def check_password(request, username, password):
        for user in USERS.values():
            if (username, password) == (user.name, PASSWORD):
                return user
        return None

    @token.authenticate
    async def check_token(request, value):
        return ANNA if value == TOKEN else None

    @app.get("/login")
    async def login_form(request):
        return "who is there?"

    @app.post("/login")
    async def log_in(request):
        fields = form(request)
        user = await check_password(request, fields.get("username"), fields.get("password"))
        if user is None:
            return "no", 401, {"WWW-Authenticate": "Cookie"}
        return await login.login_user(request, user, remember="remember" in fields)

    @app.post("/logout")
    async def log_out(request):
        await login.logout_user(request)
        return redirect("/login")

    @app.get("/")
    @login
    async def index(request):
        return "Hello, " + request.g.current_user.name

    @app.get("/fresh")
    @login.fresh
    async def fresh(request):
        return "Hello, " + request.g.current_user.name

    @app.get("/private/<path:rest>")
    @login
    async def private(request, rest):
        return "Hello, " + request.g.current_user.name

    @app.get("/basic")
    @basic
    async def basic_page(request):
        return "Hello, " + request.g.current_user.name

    @app.get("/token")
    @token
    async def token_page(request):
        return "Hello, " + request.g.current_user.name

    @app.get("/maybe")
    @basic.optional
    async def maybe(request):
        user = request.g.current_user
        return "Hello, " + (user.name if user else "stranger")

    @app.get("/visits")
    @with_session
    async def visits(request, session):
        session["visits"] = session.get("visits", 0) + 1
        session.save()
        return {"visits": session["visits"]}

    @app.get("/large")
    @login
    async def large(request):
        return "x" * LARGE

    @app.get("/echo")
    async def echo(request):
        return {"header": request.headers.get("X-Text"), "cookie": request.cookies.get("c"),
                "query": request.args.get("q"), "path": request.path, "client": request.client_addr[0]
                if isinstance(request.client_addr, tuple) else None}

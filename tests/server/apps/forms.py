"""An app that changes something with each POST, protected by CSRF: it says who asked, and counts what was changed."""

from dotlatch import sameorigin
from dotlatch.auth import BasicAuth, TokenAuth
from dotlatch.csrf import CSRF
from dotlatch.login import Login
from dotlatch.session import Session, with_session

KEY = "the key of the tests: 32 bytes or more of it"
PASSWORD = "correct horse battery staple"
TOKEN = "token-of-the-tests"
ALLOWED = "https://app.example"
HTML = {"Content-Type": "text/html"}


def create_app(app):
    if hasattr(app, "asgi_app"):
        from microdot.asgi import with_websocket
    elif hasattr(app, "wsgi_app"):
        from microdot.wsgi import with_websocket
    else:
        from microdot.websocket import with_websocket

    Session(app, secret_key=KEY)
    csrf = CSRF(app)
    sameorigin.allow(app, ALLOWED)
    login = Login()
    basic = BasicAuth(realm="tests", allow_http=True)
    token = TokenAuth(realm="tests", allow_http=True)
    changed = []

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
        return await login.login_user(request, "anna")

    @app.post("/logout")
    async def log_out(request):
        await login.logout_user(request)
        return "bye"

    def change(name):
        async def change(request):
            changed.append(name)
            return "changed by " + str(request.g.current_user)
        return change

    methods = ["POST", "PUT", "DELETE"]
    app.route("/login-only", methods=methods)(login(change("login")))
    app.route("/maybe", methods=methods)(login.optional(change("maybe")))
    app.route("/basic", methods=methods)(basic(change("basic")))
    app.route("/token", methods=methods)(token(change("token")))
    app.route("/exempt", methods=methods)(login(csrf.exempt(change("exempt"))))
    app.get("/protected")(login(csrf.protect(change("protected"))))

    @app.get("/changed")
    async def count(request):
        return str(len(changed))

    @app.get("/form")
    @with_session
    async def form(request, session):
        return page("/maybe", ""), HTML

    @app.get("/form-with-token")
    @with_session
    async def form_with_token(request, session):
        return page("/maybe", csrf.field(request)), dict(HTML, **{"Referrer-Policy": "no-referrer"})

    @app.get("/form-without-referrer")
    async def form_without_referrer(request):
        return page("/maybe", ""), dict(HTML, **{"Referrer-Policy": "no-referrer"})

    @app.get("/csrf-token")
    @with_session
    async def csrf_token(request, session):
        return csrf.token(request)

    def talk():
        async def talk(request, ws):
            await ws.send("hello")
        return talk

    app.get("/ws")(with_websocket(talk()))
    app.get("/ws/login")(login(with_websocket(talk())))
    app.get("/ws/exempt")(login(csrf.exempt(with_websocket(talk()))))
    app.get("/ws/protected")(with_websocket(csrf.protect(talk())))


def page(action, field):
    return ('<!DOCTYPE html><html><body><form method="post" action="%s">%s<button>Send</button></form></body></html>'
            % (action, field))

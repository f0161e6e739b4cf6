"""The least that has a login, with the routes that `soak.py` asks for: micropython soak_small.py PORT

Nothing but Microdot, `session` and `login`, and one password, whose hash the program's owner would paste here.
"""
import soak_serve
from microdot import Microdot

from dotlatch import passwords
from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.session import Session

PASSWORD = 'tulip harbour nine lantern'  # what soak.py sends
FORM = '<form method="post"><input name="username"><input name="password" type="password"><button>Go</button></form>'


class User:
    id = name = 'anna'
    password_hash = ''


async def create_app():
    passwords.ITERATIONS = 2
    User.password_hash = await passwords.hash_password(PASSWORD)
    app = Microdot()
    Session(app, secret_key='a secret of thirty-two characters')
    login = Login()

    @login.user_loader
    async def load_user(user_id):
        return User()

    @app.get('/login')
    async def login_form(request):
        return FORM, {'Content-Type': 'text/html'}

    @app.post('/login')
    async def log_in(request):
        fields = form(request)
        if not await passwords.verify_password(fields.get('password', ''), User.password_hash):
            return FORM, 401, {'Content-Type': 'text/html'}
        return await login.login_user(request, User())

    @app.post('/logout')
    async def log_out(request):
        await login.logout_user(request)
        return '', 303, {'Location': '/login'}

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name

    soak_serve.tell_free(app)
    return app


if __name__ == '__main__':
    soak_serve.serve(create_app)

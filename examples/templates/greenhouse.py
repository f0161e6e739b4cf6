"""The app of these examples: one page, a login, and pages of its own for it.

It needs an account in users.json, see docs/board.rst, "Make the first account".
"""
from dotlatch.files import load_or_create
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.session import Session
from dotlatch.throttle import Throttle
from dotlatch.users import FileUsers


def create_app(app, render):
    Session(app, secret_key=load_or_create('secret.key'))
    login = Login(users=FileUsers('users.json'), throttle=Throttle())
    LoginPages(app, login, render=render, title='Greenhouse')

    @app.get('/')
    @login
    async def index(request):
        return 'Hello, ' + request.g.current_user.name

    return app

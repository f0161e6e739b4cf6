"""A Microdot app beside a Django project: who is logged in there is logged in here, and the other way round."""
from common import ENGINE, FALLBACKS, SECRET_KEY
from microdot import redirect

from dotlatch.accountpages import AccountPages
from dotlatch.csrf import CSRF
from dotlatch.http import form
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.server.asgi import Microdot
from dotlatch.server.django import DjangoSessions, DjangoUsers
from dotlatch.session import Session, with_session
from dotlatch.throttle import Throttle

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Meter</title></head>
<body>
<h1>Meter</h1>
<p>Microdot knows you as %s. Power: 231 W.</p>
<p>In the cart: %s.</p>
<form method="post" action="/meter/cart"><button>Add a bulb</button></form>
<form method="post" action="/meter/logout"><button>Log out</button></form>
<p><a href="/meter/account">Account</a> <a href="/">The shop</a></p>
</body>
</html>"""

app = Microdot()
users = DjangoUsers(ENGINE, permissions=True)
Session(app, store=DjangoSessions(users, [SECRET_KEY, *FALLBACKS]))
CSRF(app)
login = Login('/meter/login', users=users, throttle=Throttle())
pages = LoginPages(app, login, title='Meter', home='/meter/', logout_url='/meter/logout', remember=0)
AccountPages(pages, '/meter/account')


def escaped(text):
    return str(text).replace('&', '&amp;').replace('<', '&lt;')


@app.get('/meter/')
@login
@with_session
async def index(request, session):
    cart = ', '.join(session.get('cart', [])) or 'nothing'
    page = PAGE % (escaped(request.g.current_user.name), escaped(cart))
    return page, 200, {'Content-Type': 'text/html; charset=UTF-8', 'Cache-Control': 'no-store'}


@app.post('/meter/cart')
@login
@with_session
async def add(request, session):
    session['cart'] = [*session.get('cart', []), form(request).get('item', 'bulb')[:40]]
    session.save()
    return redirect('/meter/', 303)

"""Attacks on the CSRF protection: handlers of every kind, and no mark that reaches further than its route."""
from client import Client, Warnings
from microdot import Microdot

from dotlatch.csrf import CSRF

EVIL = ('Origin', 'http://evil.lan')
OWN = ('Origin', 'http://device.lan')
COOKIE = ('Cookie', 'session=x')


class Switch:
    """A handler that can be compared, and so is no key of a dict."""
    def __eq__(self, other):
        return isinstance(other, Switch)

    __hash__ = None

    def __call__(self, request):
        return 'switched'


def site():
    """An app with an exempt route, and one whose handler is an object."""
    app = Microdot()
    csrf = CSRF(app)

    @app.post('/hook')
    @csrf.exempt
    async def hook(request):
        return 'called'

    app.route('/switch', methods=['GET', 'POST'])(Switch())
    return app, csrf


async def test_X1_an_object_that_no_dict_takes_is_protected_as_any_handler():
    app, _ = site()
    with Warnings() as given:
        assert (await Client(app).post('/switch', [EVIL, COOKIE])).status_code == 403
        assert (await Client(app).post('/switch', [OWN, COOKIE])).text == 'switched'
        assert (await Client(app).get('/switch', [EVIL, COOKIE])).text == 'switched'
        assert (await Client(app).post('/hook', [EVIL, COOKIE])).text == 'called'
    assert given == []

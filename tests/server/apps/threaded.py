"""An app of Microdot's own class for WSGI, whichever one it is given: it is not for several threads."""

import microdot.wsgi

from dotlatch.session import Session


def create_app(app):
    theirs = microdot.wsgi.Microdot()
    Session(theirs, secret_key="the key of the tests: 32 bytes or more of it")

    @theirs.get("/")
    async def index(request):
        return "theirs"

    return theirs

"""One route for each way to prove a name by a header, and one that takes any of them."""

from dotlatch.auth import BasicAuth, TokenAuth, any_of
from dotlatch.digest import DigestAuth

PASSWORD = "correct horse battery staple"
TOKEN = "token-of-the-tests"
ANSWERED = "Hello, anna"


def create_app(app):
    basic = BasicAuth(realm="tests", allow_http=True)
    token = TokenAuth(realm="tests", allow_http=True)
    key = TokenAuth(header="X-API-Key", scheme="APIKey", realm="tests", allow_http=True)
    digest = DigestAuth(realm="tests")
    anna = {"name": "anna", "digest_ha1": digest.make_ha1("anna", PASSWORD)}

    @basic.authenticate
    async def check(request, username, password):
        return anna if (username, password) == ("anna", PASSWORD) else None

    @token.authenticate
    @key.authenticate
    async def check_token(request, value):
        return anna if value == TOKEN else None

    @digest.authenticate
    async def find(request, username):
        return anna if username == "anna" else None

    async def say(request):
        return "Hello, " + request.g.current_user["name"]

    for name, auth in (("basic", basic), ("token", token), ("key", key), ("digest", digest),
                       ("any", any_of(token, basic, digest, key))):
        app.get("/" + name)(auth(say))

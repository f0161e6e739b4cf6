"""Pages behind Digest, for clients of all kinds: what they say tells who asked, how and with what."""

from dotlatch.digest import DigestAuth, make_userhash

NAME = "anna"
PASSWORD = "correct horse battery staple"
OTHER = "Jäsøn, \"the\" Doe"  # a name with all that a header has to quote or encode
ODD_REALM = 'the "odd", \\ realm'


def create_app(app):
    auths = {
        "page": DigestAuth(realm="tests"),
        "odd": DigestAuth(realm=ODD_REALM),
        "both": DigestAuth(realm="both", algorithms=("SHA-256", "MD5")),
        "old": DigestAuth(realm="old", algorithms=("MD5",)),
        "hidden": DigestAuth(realm="hidden"),
        "brief": DigestAuth(realm="brief", nonce_seconds=1),
    }
    names = {make_userhash(name, "hidden"): name for name in (NAME, OTHER)}

    hidden, page = auths["hidden"], auths["page"]

    @hidden.find_username
    async def find_username(request, userhash):
        return names.get(userhash)

    for name in auths:
        serve(app, name, auths[name])

    @app.get("/frames")
    @page
    async def frames(request):
        images = "".join([f'<img src="/page/{i}?of={i}%2F40">' for i in range(40)])
        return f"<!doctype html><body>{images}</body>", {"Content-Type": "text/html"}


def serve(app, name, auth):
    users = {user: {"id": user, "digest_ha1": auth.make_ha1(user, PASSWORD)} for user in (NAME, OTHER)}
    counts = {"seen": 0}

    @auth.authenticate
    async def find(request, username):
        return users.get(username)

    async def page(request, rest=""):
        counts["seen"] += 1
        return {"user": request.g.current_user["id"], "method": request.method, "rest": rest,
                "query": request.query_string, "body": request.body.decode(), "seen": counts["seen"]}

    app.route("/" + name, methods=["GET", "POST", "PUT"])(auth(page))
    app.route("/" + name + "/<path:rest>", methods=["GET", "POST", "PUT"])(auth(page))

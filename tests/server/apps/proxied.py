"""Says who the client is and how it came, as far as a proxy at 127.0.0.2 may tell."""

from dotlatch import http, proxies, sameorigin


def create_app(app):
    @app.get("/")
    async def index(request):
        return {"source": http.source(request), "https": http.is_https(request), "origin": sameorigin.own(request)}

    sameorigin.hosts(app, "127.0.0.1", "device.example")
    proxies.trust(app, ["127.0.0.2"], host=True)

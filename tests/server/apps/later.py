"""The console of examples/console, whose clocks a test puts forward: GET /later/3700."""

import sys

sys.path.insert(0, __file__.rsplit("/", 4)[0] + "/examples/console")

import main

from dotlatch import portable


def create_app(app):
    app = main.create_app(app)

    @app.get("/later/<int:seconds>")
    async def later(request, seconds):
        clock, ticks = portable._wall_clock, portable._ticks_ms
        portable._wall_clock = lambda: clock() + seconds
        portable._ticks_ms = lambda: (ticks() + seconds * 1000) & portable._ticks_mask
        return "It is later"

    return app

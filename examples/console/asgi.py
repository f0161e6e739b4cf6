from main import create_app

from dotlatch.server.asgi import Microdot

app = create_app(Microdot())  # uvicorn asgi:app

from main import create_app

from dotlatch.server.wsgi import Microdot

app = create_app(Microdot())  # gunicorn wsgi:app

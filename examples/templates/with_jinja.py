"""A login page of one's own as a Jinja template, on a computer: pip install jinja2, and python with_jinja.py."""
from greenhouse import create_app as create
from microdot import Microdot
from microdot.jinja import Template

from dotlatch import pages

Template.initialize('jinja')


def render(name, **context):
    if name != 'login':  # the others may stay as they are
        return pages.render(name, **context)
    return Template('login.html').render(**context)


def create_app(app):
    return create(app, render)


if __name__ == '__main__':
    create_app(Microdot()).run(port=8000)

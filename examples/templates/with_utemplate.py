"""A login page of one's own as a uTemplate file, on a board and on a computer.

On a board, copy utemplate (source.py, compiled.py, recompile.py) and microdot/utemplate.py to /lib, and this folder's
greenhouse.py, with_utemplate.py and utemplates to /. Start it in the folder where utemplates is: micropython
with_utemplate.py, or python.
"""
from greenhouse import create_app as create
from microdot import Microdot
from microdot.utemplate import Template

from dotlatch import pages

Template.initialize('utemplates')


def render(name, **context):
    if name != 'login':  # the others may stay as they are
        return pages.pieces(name, **context)
    # uTemplate escapes nothing by itself: the template says e(...) around each value.
    return Template('login.html').generate(pages.escape, **context)


def create_app(app):
    return create(app, render)


if __name__ == '__main__':
    create_app(Microdot()).run(port=8000)

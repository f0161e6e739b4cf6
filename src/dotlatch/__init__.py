"""dotlatch: authentication for Microdot, on MicroPython boards and on CPython.

Nothing is imported here, so that loading one module never loads another's heap::

    from dotlatch.session import Session, with_session
    from dotlatch.auth import BasicAuth, TokenAuth
    from dotlatch.login import Login
"""
__version__ = '0.1.0'

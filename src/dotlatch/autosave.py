"""Sessions that save themselves: each change that a handler has made, wherever in the session it is.

Needs what session.py needs, which loads it for::

    Session(app, secret_key='at least 32 random bytes, see the docs', autosave=True)

    @app.get('/')
    @with_session
    async def index(request, session):
        session['visits'] = session.get('visits', 0) + 1   # no session.save()
        return 'Visit number ' + str(session['visits'])
"""
from .portable import warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .session import Session, SessionDict


def save_changes(request: 'Any', response: 'Any', session: 'SessionDict', ext: 'Session') -> None:
    """Save a session that is not as it was found or saved last."""
    if _same(session, session._saved or {}):
        return
    session._saved = session  # what cannot be saved is one error, and not a second one for the page that tells it
    try:
        ext.update(request, session)
    except Exception as error:
        if response.status_code < 400:
            raise
        warn_once('a session could not be saved: ' + str(error))  # Microdot drops an error that has another error


def _same(value: 'Any', other: 'Any') -> bool:
    """Tell whether two values are the same JSON."""
    if isinstance(value, dict):
        if not isinstance(other, dict) or len(value) != len(other):
            return False
        return value is other or all(name in other and _same(value[name], other[name]) for name in value)
    if isinstance(value, (list, tuple)):
        if not isinstance(other, (list, tuple)) or len(value) != len(other):
            return False
        return all(_same(value[i], other[i]) for i in range(len(value)))
    return type(value) is type(other) and bool(value == other)

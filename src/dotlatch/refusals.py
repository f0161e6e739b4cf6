"""How somebody is refused: the challenge of a 401, and for how long a 429 or 503 holds.

Needs portable.py, origin.py, onepiece.py and http.py, where its functions are found too::

    from dotlatch.http import too_many

    too_many(request, 30)       # ends in a 429, with Retry-After
"""
from microdot import abort

from .http import no_store, on_response
from .portable import Busy, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def challenge(request: 'Any', value: str, status: int = 401) -> None:
    """Have a 401, or a 403, carry this challenge in WWW-Authenticate (RFC 9110 section 11.6.1), whoever makes its page.
    """
    g = request.g
    g._challenges = getattr(g, '_challenges', ()) + (value,) if status == 401 else (value,)
    g._challenge_status = (400, 401) if status == 401 else (status,)
    on_response(request, _add_challenges)


def _add_challenges(request: 'Any', response: 'Any') -> None:
    if response.status_code in request.g._challenge_status:
        no_store(response)
        if 'WWW-Authenticate' not in response.headers:
            # A line for each: browsers take the first that they know, but of one line some take the last.
            challenges = list(request.g._challenges)
            response.headers['WWW-Authenticate'] = challenges if len(challenges) > 1 else challenges[0]


def too_many(request: 'Any', wait: int) -> None:
    """Answer with 429 (RFC 6585 section 4): the client may come back after ``wait`` seconds."""
    request.g._retry_after = wait
    on_response(request, _add_retry_after)
    abort(429, 'Too many attempts')


def unavailable(request: 'Any', error: Exception) -> None:
    """Answer with 503: what knows who may enter cannot be asked now, so nobody does."""
    if not isinstance(error, Busy):
        warn_once('credentials could not be checked: ' + type(error).__name__)
    request.g._retry_after = 2
    on_response(request, _add_retry_after)
    abort(503, 'Try again in a moment')


async def asked(request: 'Any', work: 'Any') -> 'Any':
    """Return what is awaited from what may be on another machine; ends in a 503 when that cannot be asked."""
    try:
        return await work
    except OSError as error:
        unavailable(request, error)


def is_unavailable(error: Exception) -> bool:
    """Tell whether the error says that no guess was judged. Any other may be how a callback says that one was wrong."""
    return isinstance(error, OSError) or getattr(error, 'status_code', 0) == 503


def _add_retry_after(request: 'Any', response: 'Any') -> None:
    if response.status_code in (429, 503):
        response.headers['Retry-After'] = str(request.g._retry_after)

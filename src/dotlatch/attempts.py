"""What is told of credentials that were refused: whose they would have been, where they came from, and why.

Needs http.py and identity.py. auth.py loads it for who has given ``events``::

    BasicAuth(events=events)   # {'event': 'login_failed', 'method': 'Basic', 'source': ..., 'reason': 'password', ...}
"""
from . import http
from .identity import get

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def tell(by: 'Any', request: 'Any', seconds: int) -> None:
    """Emit ``login_failed``. What was sent is not told: people type passwords where the name goes.

    :param by: the scheme. It may have left itself, a reason and a user as ``request.g._why``; without a reason, nothing
        is told.
    :param seconds: for which the client has to wait, or 0.
    """
    reason, user = by.failure, None
    why = getattr(request.g, '_why', None)
    if seconds:
        reason = 'throttled'
    elif why is not None and why[0] is by:
        _, reason, user = why
    if not reason:
        return
    fields: 'dict[str, Any]' = {'method': by.scheme, 'source': http.source(request), 'reason': reason}
    if seconds:
        fields['seconds'] = seconds
    if isinstance(user, (str, int)):
        fields['user'] = user
    elif user is not None:
        fields['user'] = get(user, 'id')
        fields['name'] = get(user, 'name')
    by.events.emit('login_failed', **fields)

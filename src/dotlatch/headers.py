"""Sessions for clients that keep no cookies: their token comes in a header, and a new one goes back in another.

Needs portable.py, origin.py and http.py::

    from dotlatch.headers import HeaderTransport

    Session(app, secret_key=..., transport=HeaderTransport())

    # curl -i -d 'username=anna&password=...' http://192.168.1.50/login    Session-Token: eyJ...
    # curl -H 'Authorization: Bearer eyJ...' http://192.168.1.50/
"""
from . import http
from .portable import is_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class HeaderTransport:
    """A session's token in ``Authorization``, for scripts, apps and devices.

    A browser never sends it by itself, so no other site can have it sent.

    :param scheme: what stands before the token.
    :param response_header: carries a new token; it is empty when the client is to forget the one it has.
    :param max_token: bytes that a token may have: 1800, since Microdot's own server drops lines above 2048.
    """
    header = 'Authorization'

    def __init__(self, scheme: str = 'Bearer', response_header: str = 'Session-Token', max_token: int = 1800) -> None:
        self.scheme = scheme
        self.response_header = response_header
        self.max_token = max_token

    def is_there(self, request: 'Any') -> bool:
        """Tell whether the request carries a token, good or bad."""
        return bool(self.read(request))

    def read(self, request: 'Any') -> 'list[str]':
        """Return the token that the request carries, in a list."""
        token = http.credentials(request, self.header, self.scheme)
        return [token] if token else []

    def check(self, request: 'Any', token: str) -> None:
        """Raise ValueError when a request could not bring the token."""
        if not is_word(token):
            raise ValueError('the session token has a character that headers cannot carry')
        if len(token) > self.max_token:
            raise ValueError('the session token would be %d bytes, %d fit: keep less in the session'
                             % (len(token), self.max_token))

    def write(self, request: 'Any', response: 'Any', token: str) -> None:
        """Hand the client a token, or an empty one."""
        response.headers[self.response_header] = token

    def challenge(self, login_url: str) -> str:
        """Return what a 401 says of the way in."""
        return self.scheme + ' realm="login"'

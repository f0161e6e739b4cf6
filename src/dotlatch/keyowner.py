"""The user of an API key, where the key comes as a text and not in a request: behind ``users.get_by_token()``.

Needs portable.py, identity.py and apikeys.py; the users load it when they are asked::

    users.keys = FileKeys('keys.json')

    @token.authenticate
    async def check(request, text):
        return await users.get_by_token(text)   # a user with no more scopes than the key has
"""
from .identity import as_user, is_active, scope_list
from .portable import call, warn_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .apikeys import APIKey


class KeyOwner:
    """A user, as far as a key goes: everything is the user's, but for the scopes that the key was not given for.

    :ivar api_key: the key's record.
    """
    def __init__(self, user: 'Any', key: 'APIKey') -> None:
        granted = scope_list(key.scopes)
        self.api_key = key
        self.scopes = [scope for scope in scope_list(user.scopes) if scope in granted]
        self._user = user

    def __getattr__(self, name: str) -> 'Any':
        if name == '_user':  # while it is made anew, by copy(), say
            raise AttributeError(name)
        return getattr(self._user, name)


async def find(users: 'Any', token: 'Any') -> 'KeyOwner | None':
    """Return the active user whose key this is, or ``None``.

    :param users: where users are, with ``keys``, a :class:`dotlatch.apikeys.FileKeys` or the like.
    :raises RuntimeError: when they have no keys.
    :raises OSError: when one of them cannot be asked.
    """
    keys = users.keys
    if keys is None:
        raise RuntimeError("these users have no keys: say users.keys = FileKeys('keys.json')")
    from . import apikeys  # who has keys has loaded it
    found = apikeys.split(token, keys.prefix)
    if found is None:
        return None
    key = await keys.find(found[0])
    if not apikeys.is_right(key, found[1]) or key.is_expired():
        return None
    user = as_user(await call(users.get_by_id, key.user_id))
    if user is None or not is_active(user):
        return None
    if not key.was_used_lately():  # a question to a file's lock, or to a database, that most requests can do without
        try:
            await call(keys.used, key)
        except OSError as error:
            warn_once('the use of an API key could not be kept: ' + type(error).__name__)
    return KeyOwner(user, key)

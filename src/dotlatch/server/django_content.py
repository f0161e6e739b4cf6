"""What Django finds in a session, and what dotlatch finds in it: who is logged in, and everybody's own names.

Needs proofs.py and what it needs, and django_users.py and records.py of this folder::

    content = Content(users, [BACKEND])
    record = content.read({'_auth_user_id': '7', '_auth_user_backend': BACKEND, '_auth_user_hash': '...'}, now)
    record['data']            # {'_user_id': 7, '_stamp': '...'}
    content.write(record)     # the same as before, and '_dotlatch'
"""
from collections.abc import Sequence
from typing import Any

from ..proofs import OURS
from . import records
from .django_users import DjangoUsers

BACKEND = 'django.contrib.auth.backends.ModelBackend'

_OUR_NAME = '_dotlatch'
_LOGIN = _USER, _BACKEND, _HASH = '_auth_user_id', '_auth_user_backend', '_auth_user_hash'
_CLAIMS = {'jti': str, 'iat': int, 'seen': int, 'until': int, 'floor': int, 'source': str, 'client': str}  # are kept


def check_names(data: 'dict[str, Any]') -> None:
    """Raise ValueError for a session with names by which Django knows who is logged in."""
    for name in (_OUR_NAME, *_LOGIN):
        if name in data:
            raise ValueError(f"the name {name} is Django's: log in with Login")


class Content:
    """Both views of a session's data.

    :param users: the project's.
    :param backends: Django's ``AUTHENTICATION_BACKENDS``: what is written is a login of the first, and a login of
        another one than these is none.
    """
    def __init__(self, users: DjangoUsers, backends: 'Sequence[str]') -> None:
        if isinstance(backends, str) or not backends:
            raise ValueError("backends is a list, as Django's AUTHENTICATION_BACKENDS is")
        self.users = users
        self.backends = tuple(backends)

    def read(self, content: 'dict[str, Any]', saved: int) -> 'dict[str, Any]':
        """Return a record with data and claims of ours.

        :param saved: when Django or dotlatch has saved it, in Unix seconds, or 0: the old encoding does not say.
        """
        ours = content.pop(_OUR_NAME, None)
        login = {name: content.pop(name) for name in _LOGIN if name in content}
        identity, backend, stamp = [login.get(name) for name in _LOGIN]
        if not isinstance(ours, dict) or ours.get('of') != identity:
            ours = {}  # somebody else has logged in since: nothing of it is this one's
        theirs = {name: content.pop(name) for name in OURS if name in content}  # of no meaning here
        since = saved or records.read_clock()  # what Django has begun was used when it was saved
        record: 'dict[str, Any]' = {'iat': since, 'seen': since, 'source': 'Django', 'client': ''}
        record.update({name: ours[name] for name in _CLAIMS if type(ours.get(name)) is _CLAIMS[name]})
        record.update(data=content, django=[backend, theirs], seen=max(record['seen'], saved))
        own = ours.get('own')
        if isinstance(own, dict):
            content.update({name: own[name] for name in OURS if name in own})
            record['user'] = ours.get('user')
        user_id = self.users.id_of(identity)
        if user_id is not None:
            record['user'] = user_id
        if user_id is not None and backend in self.backends and isinstance(stamp, str):
            content.update(_user_id=user_id, _stamp=stamp)
        else:
            theirs.update(login)  # one that is none here stays what it is in Django
        return record

    def write(self, record: 'dict[str, Any]') -> 'dict[str, Any]':
        """Return what Django is to find."""
        data = record['data']
        check_names(data)
        backend, theirs = record.get('django', (None, {}))
        own = {name: data[name] for name in OURS if name in data}
        content = {name: data[name] for name in data if name not in own}
        content.update(theirs)
        ours: 'dict[str, Any]' = {name: _CLAIMS[name](record[name]) for name in _CLAIMS if name in record}
        if '_user_id' in own and '_actor' not in own:  # who acts for another is nobody to Django
            content[_USER] = str(own.pop('_user_id'))
            content[_BACKEND] = backend if backend in self.backends else self.backends[0]
            content[_HASH] = own.pop('_stamp', '')
        elif record.get('user') is not None:
            ours['user'] = record['user']
        if _USER in content:
            ours['of'] = content[_USER]
        if own:
            ours['own'] = own
        content[_OUR_NAME] = ours
        return content

"""Django's users and sessions, shared with a running Django: :class:`DjangoUsers` and :class:`DjangoSessions`.

Needs django_users.py and django_sessions.py of this folder::

    from dotlatch.server.django import DjangoSessions, DjangoUsers

    users = DjangoUsers('postgresql+asyncpg://app:password@127.0.0.1/shop')
    Session(app, store=DjangoSessions(users, SECRET_KEY))
    login = Login(users=users)
"""
from .django_sessions import DjangoSessions as DjangoSessions
from .django_tables import permissions_of as permissions_of
from .django_tables import users_table as users_table
from .django_users import DjangoUsers as DjangoUsers

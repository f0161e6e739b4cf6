"""The kinds of users there are, and how a test opens each at the address of its stores."""

import itertools

from sqlalchemy import MetaData

from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers, users_table
from dotlatch.users import FileUsers, MemoryUsers
from tests.stores.kinds import PATIENCE

DATABASES = ("sqlite", "postgresql")
SHARED = ("file", *DATABASES)  # several objects may stand for the same accounts
ALL = ("memory", *SHARED)
PASSWORD = "correct horse battery staple"
ANOTHER = "another horse battery staple"
FACTOR = "SHA1$6$" + "A" * 32

_numbers = itertools.count(1)


def open_users(stores, name, timeout=PATIENCE, **options):
    """Users called `name`, which are closed with the stores; nothing is made there."""
    if stores.kind == "memory":
        return MemoryUsers(**options)
    if stores.kind == "file":
        return FileUsers(f"{stores.address}/{name}.json", **options)
    table = users_table(MetaData(), name)
    users = SQLAlchemyUsers(stores.address, table, timeout=timeout, **options)
    stores.opened.append(users)
    return users


async def make_users(stores, count=1, **options):
    """New and empty users, as often as a test wants to open them; one alone comes without a list."""
    name = f"u{next(_numbers)}"
    made = [open_users(stores, name, **options) for _ in range(count)]
    if stores.kind in DATABASES:
        await made[0].create_all()
    return made[0] if count == 1 else made

"""The kinds of API keys there are, and how a test opens each at the address of its stores."""

import itertools

from sqlalchemy import MetaData

from dotlatch.apikeys import FileKeys, MemoryKeys
from dotlatch.server.sqlalchemy_keys import SQLAlchemyKeys, keys_table
from tests.stores.kinds import PATIENCE

DATABASES = ("sqlite", "postgresql")
SHARED = ("file", *DATABASES)  # several objects may stand for the same keys
ALL = ("memory", *SHARED)

_numbers = itertools.count(1)


def open_keys(stores, name, timeout=PATIENCE, **options):
    """Keys called `name`, which are closed with the stores; nothing is made there."""
    if stores.kind == "memory":
        return MemoryKeys(**options)
    if stores.kind == "file":
        return FileKeys(f"{stores.address}/{name}.json", **options)
    keys = SQLAlchemyKeys(stores.address, keys_table(MetaData(), name), timeout=timeout, **options)
    stores.opened.append(keys)
    return keys


async def make_keys(stores, count=1, **options):
    """New and empty keys, as often as a test wants to open them; one alone comes without a list."""
    name = f"k{next(_numbers)}"
    made = [open_keys(stores, name, **options) for _ in range(count)]
    if stores.kind in DATABASES:
        await made[0].create_all()
    return made[0] if count == 1 else made

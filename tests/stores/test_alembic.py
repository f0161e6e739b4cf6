"""The tables in a program of its own: Alembic makes them, finds nothing left to do, and what is in them works."""

import itertools
import subprocess
import sys

import pytest
from cheap import Cheap
from sqlalchemy import MetaData, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from stores_contract import new

from dotlatch.server.sqlalchemy import SQLAlchemyStore, sessions_table
from dotlatch.server.sqlalchemy_keys import SQLAlchemyKeys, keys_table
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers, users_table
from tests.harness.interpreters import SOURCE
from tests.stores.users import DATABASES, PASSWORD

TABLES = ("accounts", "logins", "api_keys")
MODELS = f"""
import sys
sys.path.append({str(SOURCE)!r})
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from dotlatch.server.sqlalchemy import sessions_table
from dotlatch.server.sqlalchemy_keys import keys_table
from dotlatch.server.sqlalchemy_users import users_table

class Base(DeclarativeBase):
    pass

class Plant(Base):
    __tablename__ = "plants"
    id: Mapped[int] = mapped_column(primary_key=True)

users_table(Base.metadata, "accounts")
sessions_table(Base.metadata, "logins")
keys_table(Base.metadata, "api_keys")
"""
_numbers = itertools.count(1)


async def new_database(stores, folder):
    """The address of a database with nothing in it."""
    if stores.kind == "sqlite":
        return f"sqlite+aiosqlite:///{folder}/migrated.db"
    name = f"migrated{next(_numbers)}"
    engine = create_async_engine(stores.address, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return make_url(stores.address).set(database=name).render_as_string(hide_password=False)


def alembic(folder, *commands):
    """Give these commands, one after the other, and return what all of them said."""
    program = f"from alembic.config import main\nfor command in {commands!r}: main(command.split())"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def set_up(folder, address):
    """What `alembic init` writes, with the two changes that its documents tell of."""
    (folder / "models.py").write_text(MODELS)
    alembic(folder, "init -t async migrations")
    for name, before, after in (
            ("migrations/env.py", "target_metadata = None", "from models import Base\ntarget_metadata = Base.metadata"),
            ("alembic.ini", "sqlalchemy.url = driver://user:pass@localhost/dbname", f"sqlalchemy.url = {address}")):
        before_it, found, after_it = (folder / name).read_text().partition(before)
        assert found
        (folder / name).write_text(before_it + after + after_it)


@pytest.mark.parametrize("stores", DATABASES, indirect=True)
async def test_alembic_makes_the_tables_sees_no_difference_and_they_work(stores, folder):
    address = await new_database(stores, folder)
    set_up(folder, address)
    said = alembic(folder, "revision --autogenerate -m accounts", "upgrade head", "check")
    assert all(f"Detected added table '{name}'" in said for name in (*TABLES, "plants"))
    assert "No new upgrade operations detected" in said

    store = SQLAlchemyStore(address, sessions_table(MetaData(), "logins"))
    users = SQLAlchemyUsers(store.database, users_table(MetaData(), "accounts"))
    keys = SQLAlchemyKeys(store.database, keys_table(MetaData(), "api_keys"))
    for each in (store, users, keys):
        await each.create_all()  # which has nothing to do
    with Cheap():
        anna = await users.create("anna", PASSWORD, ["read"])
        assert (await users.authenticate("anna", PASSWORD)).id == anna.id
    session_id = await new(store, user=anna.id)
    text_of_key = await keys.create(anna, "pump")
    assert (await store.load(session_id))["user"] == anna.id
    assert (await keys.find(text_of_key.split("_")[1])).user_id == anna.id
    with pytest.raises(ValueError, match="taken"), Cheap():
        await users.create("ANNA", PASSWORD)  # what is unique is unique here too
    await store.close()
    assert "No new upgrade operations detected" in alembic(folder, "check", "downgrade base")

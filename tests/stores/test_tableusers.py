"""What all users in a table promise. For the rest see test_django_users.py and test_sqlalchemy_users.py."""

import pytest
from sqlalchemy import MetaData, update

from dotlatch import passwords
from dotlatch.apikeys import MemoryKeys
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers, users_table
from dotlatch.server.tableusers import TableUsers
from tests.stores.users import ANOTHER, PASSWORD

sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)


@sqlite
@pytest.mark.parametrize("hashed", ["md5$abc$0123456789abcdef0123456789abcdef", "", "junk", "pbkdf2_sha256$1$x"])
async def test_P3_a_hash_that_nobody_can_read_costs_what_a_wrong_password_costs(stores, monkeypatch, hashed):
    costs = []

    async def counted(secret, salt, iterations, dklen=32):
        costs.append(iterations)
        return b"?" * dklen

    users = SQLAlchemyUsers(stores.address, users_table(MetaData(), "moved"))
    stores.opened.append(users)
    await users.create_all()
    monkeypatch.setattr(passwords, "ITERATIONS", 7)
    monkeypatch.setattr(passwords, "pbkdf2_hmac_sha256", counted)
    anna = await users.create("anna", PASSWORD)
    await users.database.run((update(users.table).values(password_hash=hashed), {}))
    costs.clear()
    assert [await users.authenticate("anna", PASSWORD), await users.authenticate("nobody", PASSWORD),
            await users.change_password(anna, PASSWORD, ANOTHER)] == [None, None, False]
    assert costs == [7] * 3


@sqlite
async def test_S11_a_key_gives_its_user_and_no_more_scopes_than_its_own(stores):
    users = SQLAlchemyUsers(stores.address, users_table(MetaData(), "with_keys"))
    stores.opened.append(users)
    await users.create_all()
    users.keys = MemoryKeys()
    anna = await users.create("anna", PASSWORD, ["read", "write"])
    text = users.keys.create(anna, "pump", ["read", "admin"])
    found = await users.get_by_token(text)
    assert (found.id, found.name, found.scopes) == (anna.id, "anna", ["read"])
    assert await users.get_by_token(text + "x") is None
    await users.disable(anna)
    assert await users.get_by_token(text) is None


async def test_what_a_kind_of_users_lacks_is_said_at_once():
    users = TableUsers("sqlite+aiosqlite:///x.db", users_table(MetaData()), 2, 1, None, None)
    for asked in (users.get_by_id(1), users.get_by_name("anna"), users.authenticate("anna", PASSWORD)):
        with pytest.raises(NotImplementedError):
            await asked

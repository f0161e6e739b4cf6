"""Users who are instances of a mapped class: what the app gets, and what such a class has to have."""

import itertools

import pytest
from cheap import Cheap
from client import raises
from sqlalchemy import JSON, BigInteger, ForeignKey, MetaData, String, Text, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    joinedload,
    mapped_column,
    relationship,
    synonym,
)

from dotlatch.identity import get
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.sqlalchemy_users import SQLAlchemyUsers, users_table
from tests.stores.kinds import PATIENCE
from tests.stores.test_keys import error_of
from tests.stores.test_sqlalchemy_users import enter, form, site_of
from tests.stores.users import ANOTHER, DATABASES, FACTOR, PASSWORD

databases = pytest.mark.parametrize("stores", DATABASES, indirect=True)
NAMES = {"name": "email", "password_hash": "password"}
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def cheap_hashes():
    with Cheap():
        yield


def models():
    """A program's own classes: people, and what they grow."""
    number = next(_numbers)

    class Base(DeclarativeBase):
        pass

    class Account(Base):
        __tablename__ = f"accounts_{number}"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column("mail", String(64))
        name_key: Mapped[str] = mapped_column(String(64), unique=True)
        password: Mapped[str] = mapped_column(String(200), nullable=True)
        is_active: Mapped[bool]
        session_version: Mapped[int]
        scopes: Mapped[list] = mapped_column(JSON)
        totp: Mapped[str] = mapped_column(Text, nullable=True)
        totp_step: Mapped[int] = mapped_column(BigInteger, nullable=True)
        recovery: Mapped[str] = mapped_column(Text, nullable=True)
        city: Mapped[str] = mapped_column(String(20))
        name, password_hash = synonym("email"), synonym("password")
        plants: Mapped[list["Plant"]] = relationship(lazy="selectin", order_by="Plant.id")

        @property
        def greeting(self):
            return f"Hello, {self.name} of {self.city}"

    class Plant(Base):
        __tablename__ = f"plants_{number}"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str] = mapped_column(String(20))
        owner: Mapped[int] = mapped_column(ForeignKey(Account.id))

    return Base, Account, Plant


async def make_users(stores, base, account, names=NAMES, extra=("city",), **options):
    engine = create_async_engine(stores.address)
    async with engine.begin() as connection:
        await connection.run_sync(base.metadata.create_all)
    await engine.dispose()
    users = SQLAlchemyUsers(stores.address, account, names, extra, PATIENCE, instances=True, **options)
    stores.opened.append(users)
    return users


@databases
async def test_users_are_instances_with_all_that_the_class_has(stores):
    base, account, plant = models()
    users = await make_users(stores, base, account)
    anna = await users.create("Anna", PASSWORD, ["read"], city="Graz")
    await users.database.run((plant.__table__.insert(), {"kind": "fern", "owner": anna.id}))
    for found in (await users.authenticate("ANNA", PASSWORD), await users.get_by_id(anna.id),
                  await users.get_by_name("anna"), (await users.list_users())[0]):
        assert type(found) is account and found.greeting == "Hello, Anna of Graz" and found.scopes == ["read"]
        assert [one.kind for one in found.plants] == ["fern"]
    assert type(anna) is account and anna.plants == [] and PASSWORD not in repr(vars(anna))
    assert await users.authenticate("anna", ANOTHER) is None and await users.get_by_id(anna.id + 1) is None


@databases
async def test_pages_sessions_and_second_factors_work_with_instances(stores):
    base, account, _ = models()
    users = await make_users(stores, base, account)
    app = site_of(users)
    await users.create("anna", PASSWORD, city="Graz")
    browser, status = await enter(app)
    elsewhere, _ = await enter(app)
    assert status == 302 and await browser.texts("/") == ["Hello, anna"]
    changed = form(current=PASSWORD, new=ANOTHER, again=ANOTHER)
    assert (await browser.post("/account/password", form=changed)).status_code == 303
    assert (await browser.get("/")).status_code == 200 and (await elsewhere.get("/")).status_code == 302
    anna = await users.get_by_name("anna")
    assert await users.set_second_factor(anna, FACTOR, 5, "x") and (anna.totp, anna.totp_step) == (FACTOR, 5)
    assert await users.use_totp_step(anna, 6) and not await users.use_totp_step(anna, 6) and anna.totp_step == 6
    assert (await browser.get("/")).status_code == 302
    again, _ = await enter(app, ANOTHER)
    assert (await again.get("/")).headers["Location"].startswith("/login")  # a code is still to come


@databases
async def test_S6_each_change_is_in_the_instance_that_was_given_and_in_the_next_one(stores):
    base, account, _ = models()
    users = await make_users(stores, base, account)
    anna = await users.create("anna", PASSWORD, city="Graz")
    stale = await users.get_by_id(anna.id)
    before = anna.password
    await users.set_password(anna, ANOTHER)
    await users.rename(anna, "annette")
    await users.set_scopes(anna, ["water"])
    await users.disable(anna)
    fresh = await users.get_by_id(anna.id)
    for one in (anna, fresh):
        assert (one.email, one.scopes, one.is_active, one.session_version) == ("annette", ["water"], False, 1)
        assert one.password != before and one.password_hash is one.password
    assert await users.change_password(stale, PASSWORD, ANOTHER) is False
    await users.enable(stale)
    assert stale.email == "annette" and stale.is_active and stale.password == fresh.password
    await users.remove(stale)
    assert "not there any more" in str(await error_of(users.end_sessions, anna))


@databases
async def test_an_instance_can_go_on_in_a_session_of_the_programs_own(stores):
    base, account, plant = models()
    users = await make_users(stores, base, account)
    anna = await users.create("anna", PASSWORD, city="Graz")
    await users.set_scopes(anna, ["water"])
    engine = create_async_engine(stores.address)
    async with AsyncSession(engine) as session:
        mine = await session.merge(anna)
        mine.city = "Linz"
        session.add(plant(kind="moss", owner=mine.id))
        await session.commit()
        rows = (await session.execute(select(account).options(joinedload(account.plants)))).unique().scalars().all()
        assert [one.scopes for one in rows] == [["water"]]
    await engine.dispose()
    anna = await users.get_by_id(anna.id)
    assert (anna.city, [one.kind for one in anna.plants], anna.session_version) == ("Linz", ["moss"], 0)


@databases
async def test_S11_a_damaged_row_is_no_instance(stores):
    base, account, _ = models()
    users = await make_users(stores, base, account)
    await users.create("anna", PASSWORD, city="Graz")
    for change in ({"scopes": "admin"}, {"scopes": [1]}, {"totp": "secret"}, {"totp_step": -1}):
        values = {"scopes": [], "totp": None, "totp_step": 0, **change}
        await users.database.run((update(account.__table__).values(values), {}))
        failure = await error_of(users.authenticate, "anna", PASSWORD)
        assert type(failure) is StoreUnavailable and str(failure) == "the row of a user is damaged", change
    values = {"scopes": None, "totp": None, "totp_step": None, "is_active": False}
    await users.database.run((update(account.__table__).values(values), {}))
    anna = await users.get_by_name("anna")
    assert not get(anna, "is_active") and await users.authenticate("anna", PASSWORD) is None


@pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
async def test_S11_an_instance_that_is_not_plainly_active_stays_out(stores):
    base, account, _ = models()
    users = await make_users(stores, base, account)
    await users.create("anna", PASSWORD, city="Graz")
    for odd in ("'f'", "2", "x'00'"):  # SQLite keeps anything in any column
        await users.database.run((text(f"UPDATE {account.__tablename__} SET is_active = {odd}"), {}))
        assert (await users.get_by_name("anna")).is_active is False, odd
        assert await users.authenticate("anna", PASSWORD) is None, odd


def refused(change, kind=(DeclarativeBase,)):
    """Why a class is refused that is a fine one, but for a change; None for one that is taken."""
    types = {"id": str, "email": str, "name_key": str, "password": str, "is_active": bool, "session_version": int,
             "scopes": str, "totp": str}
    attributes = {
        "id": mapped_column(String(16), primary_key=True), "email": mapped_column(String(64)),
        "name_key": mapped_column(String(64), unique=True), "password": mapped_column(Text),
        "is_active": mapped_column(), "session_version": mapped_column(),
        "name": synonym("email"), "password_hash": synonym("password"), **change}
    attributes = {name: value for name, value in attributes.items() if value is not None}
    attributes["__annotations__"] = {name: Mapped[types[name]] for name in attributes if name in types}
    base = type("Base", kind, {})
    model = type("Account", (base,), {"__tablename__": "t", "__module__": __name__, **attributes})
    try:
        SQLAlchemyUsers("sqlite+aiosqlite:///x.db", model, NAMES, instances=True)
    except ValueError as error:
        return str(error)
    return None


def test_a_class_whose_instances_are_no_users_is_refused_at_the_start():
    assert refused({}) is None
    assert "name = synonym('email')" in refused({"name": None})
    assert "password_hash = synonym('password')" in refused({"password_hash": synonym("email")})
    assert "password_hash = synonym('password')" in refused({"password_hash": property(lambda self: "")})
    assert "JSON or ARRAY" in refused({"scopes": mapped_column(Text)})
    assert refused({"scopes": property(lambda self: ["read"])}) is None
    assert "password is deferred" in refused({"password": mapped_column(Text, deferred=True)})
    raises(ValueError, lambda: SQLAlchemyUsers("sqlite+aiosqlite:///x.db", users_table(MetaData()), instances=True))


def test_H3_a_class_whose_repr_shows_a_hash_is_refused():
    dataclass = (MappedAsDataclass, DeclarativeBase)
    synonyms = {"name": synonym("email", init=False), "password_hash": synonym("password", init=False)}
    assert "repr=False" in refused(synonyms, dataclass)
    assert "its password_hash" in refused({"__repr__": lambda self: f"Account({self.password_hash})"})
    assert refused({"__repr__": lambda self: f"Account({self.email})"}) is None
    assert refused({"__repr__": lambda self: "Account " + self.email.upper()}) is None  # None has no upper()
    assert refused({**synonyms, "password": mapped_column(Text, repr=False)}, dataclass) is None

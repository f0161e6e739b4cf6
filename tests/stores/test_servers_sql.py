"""A database alone makes one site of several servers: what is in it holds at all of them, and at once."""

import pytest

from dotlatch.portable import run
from dotlatch.server.sqlalchemy import SQLAlchemyStore
from tests.stores.test_servers import TWO_WORKERS, Visitor, served


@pytest.fixture(params=["postgresql", "sqlite"])
def site(request, folder):
    """gunicorn with two workers, and uvicorn, with their sessions in a database."""
    address = f"sqlite+aiosqlite:///{folder}/sessions.db"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        server.start()
        address = server.url
    run(make_table(address))
    yield from served(folder, address, ("gunicorn", *TWO_WORKERS), ("uvicorn",))


async def make_table(address):
    store = SQLAlchemyStore(address)
    await store.create_all()
    await store.close()


def test_S3_what_is_kept_or_ended_at_one_server_is_at_all(site):
    with Visitor("Firefox") as anna:
        for server in site.servers:
            anna.log_in(server)
            anna.post(server, "/note", note=server.url)
            assert anna.seen_by_all(site, field="note") == [server.url] * 2
            thief = anna.copy()
            anna.post(server, "/logout")
            assert thief.seen_by_all(site) == [None] * 2


def test_S6_a_new_password_and_the_end_of_all_others_reach_all_servers(site):
    with Visitor("Firefox") as anna, Visitor("phone") as phone:
        for path in ("/password", "/end-others"):
            for visitor, server in zip((anna, phone), site.servers):
                visitor.log_in(server)
            anna.post(site.servers[1], path)
            assert phone.seen_by_all(site) == [None] * 2
            assert anna.seen_by_all(site) == ["anna"] * 2

"""Redis with a replica that takes over: the address leads to the new one, and nobody closes the old connections."""

import asyncio
import contextlib

import pytest
from stores_contract import error_of, new

from dotlatch.portable import now, random_id
from dotlatch.server.errors import StoreUnavailable
from dotlatch.server.redis import RedisBackend
from tests.stores.kinds import PATIENCE, REDIS
from tests.stores.servers import HOST

pytestmark = pytest.mark.parametrize("stores", REDIS, indirect=True)


class Address:
    """A port that stays, in front of a server that does not."""

    def __init__(self, server):
        self.server = server
        self._moved = []

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._serve, HOST, 0)
        self.url = f"redis://{HOST}:{self._listener.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *error):
        self._listener.close()
        for task in self._moved:
            task.cancel()
        await asyncio.gather(*self._moved, return_exceptions=True)

    async def _serve(self, reader, writer):
        their_reader, their_writer = await asyncio.open_connection(HOST, self.server.port)
        self._moved += [asyncio.create_task(_move(reader, their_writer)),
                        asyncio.create_task(_move(their_reader, writer))]


async def _move(reader, writer):
    with contextlib.closing(writer), contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)


async def until(said, server, *words):
    for _ in range(200):
        if said in await asyncio.to_thread(server.say, *words):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"no {said!r} in the answer to {words}")


@pytest.fixture
def pair(stores):
    """A server and its replica."""
    servers = [type(stores.server)("--repl-diskless-sync-delay", "0") for _ in range(2)]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.remove()


async def test_S11_when_a_replica_takes_over_the_app_follows_the_address_without_a_restart(stores, pair):
    first, replica = pair
    await until(b"OK", replica, "REPLICAOF", HOST, str(first.port))
    await until(b"master_link_status:up", replica, "INFO", "replication")
    async with Address(first) as address:
        backend = RedisBackend(address.url, prefix := "failover:", timeout=PATIENCE)
        session_id = (await asyncio.gather(*[new(backend.store, user="anna") for _ in range(4)]))[0]
        await until(b"1", replica, "EXISTS", f"{prefix}session:{session_id}")
        await until(b"OK", replica, "REPLICAOF", "NO", "ONE")
        await until(b"OK", first, "REPLICAOF", HOST, str(replica.port))
        address.server = replica
        backend.revoked.add(random_id(), now() + 1000)
        assert isinstance(await error_of(backend.revoked.sync()), StoreUnavailable)
        await backend.revoked.sync()
        await new(backend.store, user="anna")
        assert await backend.throttle.attempt("anna", "far") == 0
        assert len(await backend.store.list_user("anna")) == 5
        assert await backend.store.load(session_id)
        await backend.close()

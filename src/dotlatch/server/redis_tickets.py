"""Which tickets were used, in Redis 7 or Valkey: a ticket opens one socket, in whichever process.

Needs stores.py, and redis_server.py of this folder::

    ticket = TicketAuth(secret_key, used=RedisTickets('redis://127.0.0.1:6379/0'))

It is for all that is good once: whatever else has ids and an end may have them kept here, under another prefix.
"""
import hashlib

from ..stores import is_session_id
from .redis_server import Address, server_at
from .waiting import TIMEOUT

SKEW = 300  # seconds by which the clocks of two machines may differ: a ticket is good for longer on one that is slow


class RedisTickets:
    """The ids of used tickets, each until it would have ended anyway, on every machine.

    :param server: a URL, or what else :class:`~dotlatch.server.redis_server.RedisServer` takes, or one of them.
    :param prefix: what the names of all keys begin with.
    :param timeout: seconds that a question may take; with a ``RedisServer``, its own.
    """
    def __init__(self, server: Address, prefix: str = 'dotlatch:', timeout: float = TIMEOUT) -> None:
        self.server = server_at(server, timeout)
        self._prefix = prefix + 'ticket:'

    async def add(self, ticket_id: str, ttl: int) -> bool:
        """Keep an id for ``ttl`` seconds at least; ``False`` when it is there already.

        :raises StoreUnavailable: when the server cannot be asked: then it may have been kept or not.
        """
        if not is_session_id(ticket_id):
            ticket_id = 'sha256:' + hashlib.sha256(ticket_id.encode(errors='surrogatepass')).hexdigest()
        kept = await self.server.command('SET', self._prefix + ticket_id, '', 'NX', 'EX', ttl + SKEW)
        return kept is not None

    async def close(self) -> None:
        """Close the connections of this event loop, but not those of a client that was given."""
        await self.server.close()

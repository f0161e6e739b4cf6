"""Behind a proxy: who the client is and how it came, from the proxy's headers, and from nobody else's.

Needs portable.py, origin.py, http.py and sameorigin.py::

    from dotlatch import proxies

    proxies.trust(app, ['127.0.0.1', '10.0.0.0/8'])

From then on ``request.client_addr`` and ``request.scheme`` are the client's, for throttles, cookies and all the rest.
"""
from . import http
from .sameorigin import host_and_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_IPV4_DIGITS = '0123456789'
_HEX = '0123456789abcdefABCDEF'
_MAPPED = b'\0' * 10 + b'\xff\xff'  # an IPv4 address in IPv6 (RFC 4291 section 2.5.5.2)
MAX_HOPS = 16


def trust(app: 'Any', networks: 'list[str]', header: str = 'X-Forwarded-For', host: bool = False) -> None:
    """Believe what proxies in these networks say of their clients.

    The client is the last address in the header that is none of theirs; what stands before it, anybody may have sent.
    What is malformed is not believed. Guards and other handlers come after it, whichever was made first.

    :param networks: addresses and networks of proxies (CIDR), such as ``'10.0.0.0/8'``; ``'unix'`` for one on a UNIX
        socket.
    :param header: ``'X-Forwarded-For'``, and with it X-Forwarded-Proto; or ``'Forwarded'`` (RFC 7239), and no other: a
        header that your proxy does not set, its clients may.
    :param host: take Host from X-Forwarded-Host, or from the ``host`` of Forwarded, too.
    :raises ValueError: for what is no network, or another header.
    """
    if header not in ('X-Forwarded-For', 'Forwarded'):
        raise ValueError("the header is 'X-Forwarded-For' or 'Forwarded'")
    http.ask_first(app, 0, _Proxies(networks, header == 'Forwarded', host).rewrite)


class _Proxies:
    def __init__(self, networks: 'list[str]', is_standard: bool, with_host: bool) -> None:
        self.has_unix = 'unix' in networks
        self.networks = [_network(text) for text in networks if text != 'unix']
        self.is_standard = is_standard
        self.with_host = with_host

    async def rewrite(self, request: 'Any') -> None:
        """Put the client's address, scheme and Host in the place of the proxy's."""
        peer = _peer(request.client_addr)
        if not (self.has_unix if peer is None else self.is_trusted(peer)):
            return
        headers = request.headers
        if self.is_standard:
            hops = _forwarded(headers.get('Forwarded', ''))
        else:
            hops = _x_forwarded(headers)
        client, chosen = None, {}
        for hop in hops:
            address = parse(hop.get('for', ''))
            if address is None:
                break
            client, chosen = address, hop
            if not self.is_trusted(address):
                break
        if client is None:
            return
        request.client_addr = (_text(client), 0)
        scheme = chosen.get('proto', '').lower()
        if scheme in ('http', 'https'):
            request.scheme = scheme
        if self.with_host and host_and_port(chosen.get('host', ''))[0]:
            headers['Host'] = chosen['host']

    def is_trusted(self, address: bytes) -> bool:
        """Tell whether the address is a proxy's."""
        for network, bits in self.networks:
            if len(network) == len(address) and _head(address, bits) == _head(network, bits):
                return True
        return False


# --- headers --------------------------------------------------------------------------------------

def _x_forwarded(headers: 'Any') -> 'list[dict[str, str]]':
    """Return what X-Forwarded-* says of each hop, the nearest first. A single value holds for all of them."""
    lists = []
    for name in ('For', 'Proto', 'Host'):
        value = headers.get('X-Forwarded-' + name)
        lists.append([part.strip() for part in value.split(',')] if value else [])
    addresses, schemes, hosts = lists
    hops = []
    for i in range(1, min(len(addresses), MAX_HOPS) + 1):
        hop = {'for': addresses[-i]}
        if schemes:
            hop['proto'] = schemes[-min(i, len(schemes))]
        if hosts:
            hop['host'] = hosts[-min(i, len(hosts))]
        hops.append(hop)
    return hops


def _forwarded(value: str) -> 'list[dict[str, str]]':
    """Return what Forwarded (RFC 7239 section 4) says of each hop, the nearest first."""
    elements = value.split(',')  # no address, scheme or host has a comma, in quotes or not
    hops = []
    for i in range(1, min(len(elements), MAX_HOPS) + 1):
        hop: 'dict[str, str]' = {}
        for pair in elements[-i].split(';'):
            name, _, text = pair.partition('=')
            text = text.strip()
            if len(text) > 1 and text[0] == '"' == text[-1]:
                text = text[1:-1]
            hop[name.strip().lower()] = text
        hops.append(hop)
    return hops


# --- addresses, without Python's ipaddress, which MicroPython lacks ----------------------------------

def parse(text: str) -> 'bytes | None':
    """Return an IP address as 4 or 16 bytes, or ``None`` for what is none; ports and brackets may be there.

    An IPv4 address that is written as IPv6 is 4 bytes.
    """
    if len(text) > 64:
        return None
    if text[:1] == '[':
        text, bracket, port = text[1:].partition(']')
        if not bracket or (port and not _is_port(port[1:], port[0])) or ':' not in text:
            return None
    elif text.count(':') == 1:
        text, _, port = text.partition(':')
        if not _is_port(port, ':') or '.' not in text:
            return None
    if ':' not in text:
        return _ipv4(text)
    address = _ipv6(text)
    return address[12:] if address and address[:12] == _MAPPED else address


def _is_port(text: str, colon: str) -> bool:
    return colon == ':' and 0 < len(text) < 6 and not text.strip(_IPV4_DIGITS)


def _ipv4(text: str) -> 'bytes | None':
    parts = text.split('.')
    if len(parts) != 4:
        return None
    for part in parts:
        # No leading zeros: some read them as octal.
        if not 0 < len(part) < 4 or part.strip(_IPV4_DIGITS) or int(part) > 255 or (part[0] == '0' and part != '0'):
            return None
    return bytes([int(part) for part in parts])


def _ipv6(text: str) -> 'bytes | None':
    """RFC 4291 section 2.2."""
    tail = b''
    if '.' in text:
        colon = text.rfind(':') + 1
        found = _ipv4(text[colon:])
        if found is None:
            return None
        tail = found
        text = text[:colon] if text[:colon].endswith('::') else text[:colon - 1]
    halves = text.split('::')
    if len(halves) > 2:
        return None
    sides = []
    for half in halves:
        side = b''
        for group in half.split(':') if half else ():
            if not 0 < len(group) < 5 or group.strip(_HEX):
                return None
            side += int(group, 16).to_bytes(2, 'big')
        sides.append(side)
    sides[-1] += tail
    missing = 16 - sum([len(side) for side in sides])
    if missing < 2 if len(halves) == 2 else missing:
        return None
    return bytes(missing).join(sides)


def _peer(address: 'Any') -> 'bytes | None':
    """Return the address of the other end of the connection, empty for what is none; ``None`` on a UNIX socket."""
    if isinstance(address, (bytes, bytearray)):  # a sockaddr, on MicroPython's unix port
        found = bytes(address[8:24]) if address[0] == 10 else bytes(address[4:8])
        return found[12:] if found[:12] == _MAPPED else found
    return parse(str(address[0]).partition('%')[0]) or b'' if address and address[0] else None


def _network(text: str) -> 'tuple[bytes, int]':
    start, slash, size = text.partition('/')
    address = parse(start)
    if address is None or (slash and (not size or size.strip(_IPV4_DIGITS))):
        raise ValueError("a network is an address such as '127.0.0.1' or '10.0.0.0/8', or 'unix'")
    bits = int(size) if slash else 8 * len(address)
    if bits > 8 * len(address):
        raise ValueError('a network of %d bits at most' % (8 * len(address)))
    return address, bits


def _head(address: bytes, bits: int) -> int:
    return int.from_bytes(address, 'big') >> (8 * len(address) - bits)


def _text(address: bytes) -> str:
    """Return the one spelling of an address by which it is counted."""
    if len(address) == 4:
        return '.'.join([str(b) for b in address])
    return ':'.join(['%x' % (address[i] << 8 | address[i + 1]) for i in range(0, 16, 2)])

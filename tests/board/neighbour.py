"""A client on the board itself, which has sockets between its own programs only: one request, one answer.

    status, head, body = await ask('POST', '/login', form={'username': 'anna'}, cookie=cookie)

Also read by MicroPython on a computer. Nothing is kept, since the server needs the memory.
"""
import asyncio

HOST = '127.0.0.1'
PORT = 8000


def encode(text):
    """A form's value, percent-encoded byte by byte, which every reader of forms takes."""
    return ''.join(['%{:02X}'.format(byte) for byte in text.encode()])


def request(method, path, form=None, cookie='', header=''):
    """The bytes of a request, as a browser sends it."""
    host = '{}:{}'.format(HOST, PORT)
    lines = [method + ' ' + path + ' HTTP/1.1', 'Host: ' + host, 'Origin: http://' + host, 'Accept: text/html']
    if cookie:
        lines.append('Cookie: ' + cookie)
    if header:
        lines.append(header)
    body = ''
    if form is not None:
        body = '&'.join([name + '=' + encode(form[name]) for name in form])
        lines.append('Content-Type: application/x-www-form-urlencoded')
        lines.append('Content-Length: {}'.format(len(body)))
    return ('\r\n'.join(lines) + '\r\n\r\n' + body).encode()


async def send(data):
    """Send these bytes; returns (status or 0, the head, the body) of what comes back."""
    reader, writer = await asyncio.open_connection(HOST, PORT)
    try:
        writer.write(data)
        await writer.drain()
        answer = b''
        while True:
            piece = await reader.read(512)
            if not piece:
                break
            answer += piece
    finally:
        await close(writer)
    head, _, body = answer.partition(b'\r\n\r\n')
    return int(head.split(b' ')[1]) if head else 0, head.decode(), body.decode()


async def close(writer):
    try:
        writer.close()
        await writer.wait_closed()
    except OSError:  # the other side was quicker
        pass


async def ask(method, path, form=None, cookie='', header=''):
    return await send(request(method, path, form, cookie, header))


def cookie_in(head):
    """The first cookie that an answer sets, for the next request; '' without one."""
    _, found, rest = head.partition('Set-Cookie: ')
    return rest.split(';')[0].split('\r')[0] if found else ''

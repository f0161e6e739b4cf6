"""A network for a board that has none: what is sent to its serial console goes to its port 80, from the board itself.

Runs beside the program of the board, which it knows nothing of: `import wire` in boot.py. A line of JSON, [a number, a
request], is answered by lines that begin with `wire`: the number, and a piece of the response in base64; nothing at the
end.
"""
import asyncio
import json
import sys
from binascii import b2a_base64


async def carry():
    lines = asyncio.StreamReader(sys.stdin)
    while True:
        line = await lines.readline()
        if line.startswith(b'['):
            number, request = json.loads(line)
            await ask(number, request)


async def ask(number, request):
    try:
        reader, writer = await asyncio.open_connection('127.0.0.1', 80)
        writer.write(request.encode())
        await writer.drain()
        while True:
            piece = await reader.read(192)
            if not piece:
                break
            print('wire', number, b2a_base64(piece).decode().strip())
        writer.close()
        await writer.wait_closed()
    except OSError as error:
        print('wire', number, b2a_base64(b'HTTP/1.0 599 %s\r\n\r\n' % repr(error).encode()).decode().strip())
    print('wire', number, '.')


asyncio.create_task(carry())  # noqa: RUF006 (the loop keeps it)

"""Visits the board of examples/fleet on the board itself: it starts the app in main.py and asks it at 127.0.0.1.

Runs on the emulated Pico, which has sockets between its own programs only. Prints one JSON list: what each step was
answered. A step is its name, method, path, headers and body; a cookie that was set goes with the later ones.
"""
import asyncio
import json

import main
from microdot import Microdot

PORT = 8000


async def ask(method, path, headers, body, cookies):
    lines = [method + ' ' + path + ' HTTP/1.1', 'Host: board.lan']
    lines += [name + ': ' + value for name, value in headers.items()]
    if cookies:
        lines.append('Cookie: ' + '; '.join([name + '=' + value for name, value in cookies.items()]))
    if body:
        lines.append('Content-Type: application/x-www-form-urlencoded')
        lines.append('Content-Length: ' + str(len(body)))
    reader, writer = await asyncio.open_connection('127.0.0.1', PORT)
    writer.write(('\r\n'.join(lines) + '\r\n\r\n' + body).encode())
    await writer.drain()
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return answer


async def visit(steps):
    answers = []
    cookies = {}
    for step, method, path, headers, body in steps:
        head, body = (await ask(method, path, headers, body, cookies)).split('\r\n\r\n', 1)
        lines = head.split('\r\n')
        answer = {'step': step, 'status': int(lines[0].split(' ')[1]), 'body': body, 'challenge': '', 'location': ''}
        for line in lines[1:]:
            name, value = line.split(': ', 1)
            if name == 'Location':
                answer['location'] = value
            elif name == 'WWW-Authenticate':
                answer['challenge'] += value + '\n'
            elif name == 'Set-Cookie':
                name, value = value.split(';')[0].split('=', 1)
                cookies[name] = value
        answers.append(answer)
    return answers


async def serve_and_visit(steps):
    app = main.create_app(Microdot())
    server = asyncio.create_task(app.start_server('127.0.0.1', PORT))
    await asyncio.sleep_ms(100)  # until it listens
    answers = await visit(steps)
    app.shutdown()
    await server
    print(json.dumps(answers))


def run(steps):
    asyncio.run(serve_and_visit(steps))

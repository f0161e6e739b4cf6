"""A browser for an emulated Pico: it keeps cookies and follows no redirect. See wire.py.

    browser = Browser(pico)
    browser.get('/').status
"""
import json
import os
import time
from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import urlencode

from .pico import BoardError

HOST = 'board.local'
SECONDS = 90


@dataclass
class Answer:
    status: int
    headers: 'list[tuple[str, str]]'
    body: str

    @property
    def location(self):
        return dict(self.headers).get('location')


class Browser:
    def __init__(self, pico):
        self.pico = pico
        self.cookies = {}
        self._number = 0

    def get(self, path, **headers):
        return self._ask('GET', path, headers)

    def post(self, path, **fields):
        return self._ask('POST', path, {}, urlencode(fields))

    def _ask(self, method, path, headers, body=None):
        lines = [f'{method} {path} HTTP/1.1', f'Host: {HOST}', 'Accept: text/html']
        lines += [f'{name.replace("_", "-")}: {value}' for name, value in headers.items()]
        if self.cookies:
            lines.append('Cookie: ' + '; '.join([f'{name}={value}' for name, value in self.cookies.items()]))
        if body is not None:
            lines += [f'Origin: http://{HOST}', 'Content-Type: application/x-www-form-urlencoded',
                      f'Content-Length: {len(body)}']
        self._number += 1
        line = json.dumps([self._number, '\r\n'.join([*lines, '', body or ''])])
        os.write(self.pico.emulator.stdin.fileno(), line.encode() + b'\n')
        return self._read(self._response())

    def _response(self):
        start, deadline = f'wire {self._number} ', time.monotonic() + SECONDS
        while True:
            pieces = [line[len(start):] for line in self.pico.printed.decode(errors='replace').splitlines()
                      if line.startswith(start)]
            if pieces and pieces[-1] == '.':
                return b''.join([b64decode(piece) for piece in pieces[:-1]])
            if time.monotonic() > deadline:
                tail = self.pico.printed[-2000:].decode(errors='replace')
                raise BoardError(f'no answer within {SECONDS} s, but:\n{tail}')
            time.sleep(0.02)

    def _read(self, response):
        head, _, body = response.partition(b'\r\n\r\n')
        first, *lines = head.decode().split('\r\n')
        headers = [(line.split(': ', 1)[0].lower(), line.split(': ', 1)[1]) for line in lines]
        for name, value in headers:
            if name == 'set-cookie':
                cookie, _, value = value.partition(';')[0].partition('=')
                self.cookies[cookie] = value
        self.cookies = {name: value for name, value in self.cookies.items() if value}
        return Answer(int(first.split(' ')[1]), headers, body.decode())

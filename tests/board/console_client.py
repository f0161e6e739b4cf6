"""A browser on the board itself: it starts the console in main.py and visits it at 127.0.0.1.

Runs on the emulated Pico, which has sockets between its own programs only. Prints a line of JSON for each step:
what it was answered. Nothing is kept, since the console needs the memory.
"""
import asyncio
import gc
import json
import sys

import main
from microdot import Microdot

PORT = 8000


def encode(text):
    """A form's value, percent-encoded byte by byte, which every reader of forms takes."""
    return ''.join('%{:02X}'.format(byte) for byte in text.encode())


class Browser:
    """Keeps one cookie jar, follows no redirect."""

    def __init__(self):
        self.cookies = {}
        self.body = ''
        self.key = None

    async def get(self, step, path, **options):
        return await self.send(step, 'GET', path, **options)

    async def post(self, step, path, form, **options):
        body = '&'.join([name + '=' + encode(value) for name, value in form.items()])
        return await self.send(step, 'POST', path, body, **options)

    async def send(self, step, method, path, body='', cookies=None, key=None):
        cookies = self.cookies if cookies is None else cookies
        host = '127.0.0.1:{}'.format(PORT)
        lines = [method + ' ' + path + ' HTTP/1.1', 'Host: ' + host, 'Origin: http://' + host,
                 'Sec-Fetch-Site: same-origin', 'Accept: text/html']
        if key:
            lines.append('X-API-Key: ' + key)
        if cookies:
            pairs = [name + '=' + value for name, value in cookies.items()]
            lines.append('Cookie: ' + '; '.join(pairs))
        if method == 'POST':
            lines.append('Content-Type: application/x-www-form-urlencoded')
            lines.append('Content-Length: ' + str(len(body)))
        reader, writer = await asyncio.open_connection('127.0.0.1', PORT)
        writer.write(('\r\n'.join(lines) + '\r\n\r\n' + body).encode())
        await writer.drain()
        head = []
        while not head or head[-1]:
            head.append((await reader.readline()).decode().strip())
        self.body = ''
        rest = b''
        while True:  # a page in one piece is hard to find room for beside the console
            piece = await reader.read(256)
            rest += piece
            size = len(rest)
            while piece and size and rest[size - 1] > 127:  # half of a character, perhaps
                size -= 1
            text, rest = rest[:size].decode(), rest[size:]
            if text:
                print(json.dumps({'step': step, 'piece': text}))
            if key_in(self.body + text):
                self.key = key_in(self.body + text)
            self.body = text
            if not piece:
                break
        writer.close()
        await writer.wait_closed()
        self.note(step, head, cookies is self.cookies)

    def note(self, step, lines, keep_cookies):
        location = None
        for line in lines[1:-1]:
            name, value = line.split(': ', 1)
            if name == 'Location':
                location = value
            elif name == 'Set-Cookie' and keep_cookies:
                name, value = value.split(';')[0].split('=', 1)
                if value:
                    self.cookies[name] = value
                else:
                    self.cookies.pop(name, None)
        print(json.dumps({
            'step': step, 'status': int(lines[0].split(' ')[1]), 'location': location,
            'cookies': sorted(self.cookies)}))


def key_in(text):
    """The new API key that a page shows, or None."""
    _, found, rest = text.partition('<code>')
    key, end, _ = rest.partition('</code>')
    return key if found and end else None


async def become_owner(browser, code, password):
    def claim(step, code):
        return browser.post(step, '/claim', {
            'code': code, 'username': 'admin', 'password': password, 'again': password})

    await browser.get('before there is an owner', '/')
    await browser.get('the login before there is an owner', '/login')
    await browser.get('the claim page', '/claim')
    await claim('a wrong code', 'aaaaa-aaaaa')
    await claim('the code', code)
    await browser.get('the page of the owner', '/')
    await browser.get('the claim page afterwards', '/claim')
    await claim('the code once more', code)
    browser.cookies = {}


async def visit(browser, password, new_password):
    def log_in(step, password):
        return browser.post(step, '/login', {'username': 'admin', 'password': password})

    await browser.get('a stranger', '/')
    await browser.get('the login page', '/login')
    await log_in('a wrong password', 'not ' + password)
    await log_in('the password', password)
    before_change = browser.cookies.copy()
    await browser.get('the figures', '/figures')
    await browser.get('the page', '/')
    await browser.post('the light', '/light', {'light': 'on'})
    await browser.get('the page with the light on', '/')
    await browser.post('a common password', '/account/password', {
        'current': password, 'new': 'correct horse battery staple', 'again': 'correct horse battery staple'})
    await browser.post('another password', '/account/password', {
        'current': password, 'new': new_password, 'again': new_password})
    await browser.get('after the change', '/')
    await browser.get('the cookie from before the change', '/', cookies=before_change)
    await browser.get('no keys yet', '/keys')
    await browser.post('a new key', '/keys', {'name': 'Weather display', 'read': 'on', 'days': ''})
    key = browser.key
    await browser.get('the figures by key', '/figures', cookies={}, key=key)
    await browser.post('the light by key', '/light', {'light': 'on'}, cookies={}, key=key)
    await browser.get('the keys', '/keys')
    await browser.post('revoke the key', '/keys/revoke', {'id': key.split('_')[1]})
    await browser.get('the figures by a revoked key', '/figures', cookies={}, key=key)
    before_logout = browser.cookies.copy()
    await browser.post('log out', '/logout', {})
    await browser.get('after the logout', '/')
    await browser.get('the cookie from before the logout', '/', cookies=before_logout)
    await log_in('the old password', password)
    await log_in('the new password', new_password)
    await browser.get('the page again', '/')


async def serve_and_visit(password, new_password):
    codes = []

    def wait_for_owner(site, folder):  # as the console does, with a code that is shown to this program
        from dotlatch.claim import Claim
        Claim(site, folder + 'secret.key', scopes=main.SCOPES, tell=codes.append)

    main.wait_for_owner = wait_for_owner
    app = main.create_app(Microdot())
    server = asyncio.create_task(app.start_server('127.0.0.1', PORT))
    await asyncio.sleep_ms(100)  # until it listens
    browser = Browser()
    await become_owner(browser, codes[0], password)
    left = [name for name in sys.modules if name.endswith('claim')]
    gc.collect()
    print(json.dumps({'step': 'the claim', 'modules': left, 'free': gc.mem_free()}))
    await visit(browser, password, new_password)
    app.shutdown()
    await server


def run(password, new_password):
    asyncio.run(serve_and_visit(password, new_password))

"""What the tests of this folder talk to servers with: browsers, and requests byte by byte."""

import httpx

SECONDS = 20


def browser(server, **options):
    """A client that keeps cookies, follows no redirect and says what browsers say."""
    def add_origin(request):
        if request.method != "GET":
            request.headers.setdefault("Origin", server.url)

    options.setdefault("headers", {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    if server.unix_socket:
        options["transport"] = httpx.HTTPTransport(uds=server.unix_socket)
    # The tests make their own certificates, and a client that knows the world's takes longer.
    return httpx.Client(
        base_url=server.url, timeout=SECONDS, trust_env=False, verify=False,
        event_hooks={"request": [add_origin]}, **options)


def log_in(client, password, **fields):
    return client.post("/login", data={"username": "admin", "password": password, **fields})


def with_cookies(server, cookies, path="/"):
    """What somebody gets who has nothing but these cookies."""
    with browser(server, cookies=dict(cookies)) as client:
        return client.get(path)


class Answer:
    """A response as it came over the socket; `status` is 0 when there was none."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if raw.startswith(b"HTTP/1.") else 0
        self.headers = [(name.lower(), value.strip()) for name, _, value in
                        (line.partition(":") for line in lines[1:])]

    def all(self, name):
        return [value for key, value in self.headers if key == name]

    def get(self, name):
        return next(iter(self.all(name)), None)

    def verdict(self):
        """The answer in short: '401', '302 /login?next=/', or 'closed' when there was none."""
        if not self.status:
            return "closed"
        location = self.get("location")
        return f"{self.status} {location}" if location is not None else str(self.status)


def request(target="/", method="GET", headers=(), body=b"", content_type=None, length=None):
    """The bytes of a request; targets, header lines and bodies may be any bytes at all."""
    lines = [method_line(method, target), b"Host: 127.0.0.1", b"Connection: close"]
    lines += [as_bytes(line) for line in headers]
    if content_type:
        lines.append(b"Content-Type: " + as_bytes(content_type))
    if body or length is not None:
        lines.append(b"Content-Length: " + as_bytes(str(len(body)) if length is None else length))
    return b"\r\n".join([*lines, b"", as_bytes(body)])


def method_line(method, target):
    return as_bytes(method) + b" " + as_bytes(target) + b" HTTP/1.1"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()

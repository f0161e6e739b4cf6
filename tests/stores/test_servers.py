"""gunicorn with two workers and two uvicorns are one site: a logout at one is a logout at all, and at once.

What is asked of gunicorn is asked until both of its workers have answered: each answer says which process it is from.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from dotlatch.portable import run
from dotlatch.users import FileUsers
from tests.server import apps, client
from tests.server.conftest import Server, command_for, write_launcher

APP = Path(next(iter(apps.__path__))) / "shared.py"
TWO_WORKERS = ("--workers", "2")
MOST_REQUESTS = 2000  # until each of two workers has answered; one takes hundreds in turn at times
WAIT_SECONDS = 20
NAMES = ("anna", "bert")


class Site:
    """The servers of one test, and what they share."""

    def __init__(self, folder, **environment):
        self.folder = folder
        self.servers = []
        self._environment = dict(environment, USERS=str(folder / "users.json"), GATES=str(folder))
        users = FileUsers(self._environment["USERS"])
        for name in NAMES:
            run(users.create(name, "correct horse battery staple"))

    def start(self, kind, *arguments):
        data = self.folder / f"server-{len(self.servers)}"
        data.mkdir()
        name = "serve_for_tests"
        command = [*command_for(kind, name + ".py", name + ":app", name + ":app"), *arguments]
        server = Server(kind, command, data, data, self._environment)
        write_launcher(data, APP, kind, server.port)
        self.servers.append(server)
        server.start()
        return server

    def stop(self):
        for server in self.servers:
            server.stop()
            print(f"--- {server.kind} printed ---\n{server.output()}")  # shown when the test failed

    def wait_at_gate(self, name):
        deadline = time.monotonic() + WAIT_SECONDS
        while not (self.folder / (name + ".reached")).exists():
            assert time.monotonic() < deadline, "nobody came to the gate"
            time.sleep(0.01)

    def open_gate(self, name):
        (self.folder / (name + ".open")).touch()


class Visitor:
    """A browser, which has its cookies for a host and not for a port (RFC 6265 section 8.5)."""

    def __init__(self, name, cookies=()):
        self.name = name
        self._client = httpx.Client(
            timeout=client.SECONDS, trust_env=False, headers={"User-Agent": name}, cookies=dict(cookies))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._client.close()

    def get(self, server, path="/who"):
        return self._client.get(server.url + path)

    def post(self, server, path, **fields):
        return self._client.post(server.url + path, data=fields, headers={"Origin": server.url})

    def log_in(self, server, name="anna"):
        answer = self.post(server, "/login", name=name)
        assert answer.json()["who"] == name
        return answer

    def copy(self):
        """Somebody with the same cookies."""
        return Visitor(self.name, self._client.cookies)

    @property
    def token(self):
        return self._client.cookies["session"]

    def seen_by(self, server, path="/who", field="who"):
        """What a server says to a question that changes nothing: all the workers of gunicorn say the same."""
        said, workers = [], set()
        for _ in range(MOST_REQUESTS):
            found = self.get(server, path).json()
            workers.add(found["pid"])
            if found[field] not in said:
                said.append(found[field])
            if len(workers) == (2 if server.kind == "gunicorn" else 1):
                break
        else:
            raise AssertionError(f"all of {MOST_REQUESTS} requests came to one worker")
        assert len(said) == 1, (path, said, workers)
        return said[0]

    def seen_by_all(self, site, path="/who", field="who"):
        return [self.seen_by(server, path, field) for server in site.servers]


@pytest.fixture
def site(redis_server, folder):
    """gunicorn, and two uvicorns, with their sessions in Redis."""
    redis_server.start()
    yield from served(folder, redis_server.url, ("gunicorn", *TWO_WORKERS), ("uvicorn",), ("uvicorn",))


@pytest.fixture(params=["files", "cookies"])
def two_workers(request, folder):
    """gunicorn with its sessions in files, and in cookies with a file of those that were ended."""
    store = str(folder / "sessions") if request.param == "files" else ""
    yield from served(folder, store, ("gunicorn", *TWO_WORKERS), REVOKED=str(folder / "ended.json"))


def served(folder, store, *kinds, **environment):
    site = Site(folder, STORE=store, **environment)
    try:
        for kind in kinds:
            site.start(*kind)
        yield site
    finally:
        site.stop()


@pytest.fixture
def anna():
    with Visitor("Firefox") as visitor:
        yield visitor


# --- with Redis -----------------------------------------------------------------------------------

def test_a_login_at_one_server_is_known_at_all(site, anna):
    for server in site.servers:
        anna.log_in(server)
        assert anna.seen_by_all(site) == ["anna"] * 3
        anna.post(server, "/note", note=server.url)
        assert anna.seen_by_all(site, field="note") == [server.url] * 3


def test_S3_a_logout_at_one_server_is_one_at_all_at_once(site, anna):
    for server in site.servers:
        for other in site.servers:
            anna.log_in(other)
            thief = anna.copy()
            anna.post(server, "/logout")
            assert thief.seen_by_all(site) == anna.seen_by_all(site) == [None] * 3


def test_S11_a_slow_handler_elsewhere_brings_no_ended_session_back(site, anna):
    gunicorn, first, second = site.servers
    for number, (slow, quick) in enumerate([(first, gunicorn), (first, second), (gunicorn, second)]):
        anna.log_in(second)
        gate, thief = f"gate{number}", anna.copy()
        with ThreadPoolExecutor(1) as pool:
            request = pool.submit(thief.post, slow, "/note", note="late", gate=gate)
            site.wait_at_gate(gate)
            anna.post(quick, "/logout")
            site.open_gate(gate)
        late = request.result()
        assert late.json()["who"] == "anna"  # who it was when it began
        assert "session" not in late.cookies
        assert thief.seen_by_all(site) == anna.seen_by_all(site) == [None] * 3


def test_S2_an_id_that_was_changed_at_one_server_is_the_only_one_at_all(site, anna):
    anna.log_in(site.servers[0])
    for server in site.servers:
        before = anna.copy()
        anna.post(server, "/note", note=server.url)
        anna.post(server, "/regenerate")
        assert before.token != anna.token
        assert before.seen_by_all(site) == [None] * 3
        assert anna.seen_by_all(site) == ["anna"] * 3
        assert anna.seen_by_all(site, field="note") == [server.url] * 3


def test_S6_the_sessions_of_all_servers_are_listed_and_ended_at_any(site, anna):
    with Visitor("phone") as phone, Visitor("kiosk") as kiosk, Visitor("desk") as bert:
        visitors = (anna, phone, kiosk)
        for visitor, server in zip(visitors, site.servers):
            visitor.log_in(server)
        bert.log_in(site.servers[0], "bert")
        for server in site.servers:
            assert sorted(phone.seen_by(server, "/sessions", "clients")) == ["Firefox", "kiosk", "phone"]
        assert phone.post(site.servers[2], "/end-others").json()["ended"] == 2
        assert phone.seen_by_all(site) == ["anna"] * 3
        assert phone.seen_by_all(site, "/sessions", "clients") == [["phone"]] * 3
        assert anna.seen_by_all(site) == kiosk.seen_by_all(site) == [None] * 3
        assert bert.seen_by_all(site) == ["bert"] * 3


def test_S6_a_password_that_was_changed_at_one_server_ends_the_sessions_at_all(site, anna):
    for server in site.servers:
        with Visitor("phone") as phone, Visitor("desk") as bert:
            for visitor, name in ((anna, "anna"), (phone, "anna"), (bert, "bert")):
                visitor.log_in(site.servers[1], name)
            assert phone.seen_by_all(site) == ["anna"] * 3  # each has the old password in its memory
            anna.post(server, "/password")
            assert phone.seen_by_all(site) == [None] * 3
            assert anna.seen_by_all(site) == ["anna"] * 3
            assert bert.seen_by_all(site) == ["bert"] * 3


class Steady(threading.Thread):
    """Somebody who asks one server again and again who they are, and keeps something every other time."""

    def __init__(self, server, name):
        super().__init__()
        self.server = server
        self.name_of_user = name
        self.answers = []  # (when it was asked, when it was answered, status, who, the note is the own one)
        self.ended = threading.Event()

    def run(self):
        with Visitor("steady") as visitor:
            visitor.log_in(self.server, self.name_of_user)
            mine = f"{self.name_of_user} at {self.server.url}"
            while not self.ended.is_set():
                asked = time.monotonic()
                keeps = len(self.answers) % 2 == 0
                answer = visitor.post(self.server, "/note", note=mine) if keeps else visitor.get(self.server)
                found = answer.json() if answer.status_code == 200 else {}
                is_mine = found.get("note", mine) in (mine, None)
                self.answers.append((asked, time.monotonic(), answer.status_code, found.get("who"), is_mine))

    def count(self, status, since):
        return sum(asked > since and found == status for asked, _, found, *_ in self.answers)

    def first(self, status, since):
        """When this status came for the first time after that."""
        return next(done for asked, done, found, *_ in self.answers if asked > since and found == status)


def wait_for_each(visitors, status, since, count=40):
    deadline = time.monotonic() + WAIT_SECONDS
    while any(visitor.count(status, since) < count for visitor in visitors):
        assert time.monotonic() < deadline, f"too few answers of {status}"
        assert all(visitor.is_alive() for visitor in visitors)
        time.sleep(0.01)


def test_S11_redis_killed_under_three_servers_is_503_never_another_user_and_back_when_it_is(site, redis_server):
    visitors = [Steady(server, name) for server in site.servers for name in NAMES]
    for visitor in visitors:
        visitor.start()
    try:
        for _ in range(2):
            wait_for_each(visitors, 200, time.monotonic())
            redis_server.kill()
            killed = time.monotonic()
            wait_for_each(visitors, 503, killed)
            begun = time.monotonic()
            redis_server.start()
            started = time.monotonic()
            wait_for_each(visitors, 200, started)
            down = [status for visitor in visitors for asked, done, status, *_ in visitor.answers
                    if asked > killed and done < begun]
            assert set(down) == {503}
            back = max(visitor.first(200, started) for visitor in visitors) - started
            print(f"figure: redis killed for {started - killed:.2f} s under gunicorn's two workers and two uvicorns: "
                  f"{len(down)} answers while it was down, all of them 503; all servers back within "
                  f"{back * 1000:.0f} ms")
    finally:
        redis_server.start()
        for visitor in visitors:
            visitor.ended.set()
        for visitor in visitors:
            visitor.join(WAIT_SECONDS)
    answers = [(visitor.name_of_user, *answer[2:]) for visitor in visitors for answer in visitor.answers]
    well = [answer for answer in answers if answer[1] == 200]
    nobody = sum(who is None for _, _, who, _ in well)
    others = sum(who not in (None, name) or not is_mine for name, _, who, is_mine in well)
    unavailable = sum(status == 503 for _, status, *_ in answers)
    print(f"figure: redis killed twice under steady requests: {len(answers)} answers, {len(well)} of 200, "
          f"{unavailable} of 503, {nobody} logged out, {others} with another user's session")
    assert len(well) + unavailable == len(answers)
    assert others == 0
    assert nobody == 0  # Redis acknowledges what is in its file
    assert not [server.kind for server in site.servers if "Traceback" in server.output()]


# --- with files -----------------------------------------------------------------------------------

def test_a_login_at_one_worker_is_known_at_the_other(two_workers, anna):
    server, = two_workers.servers
    anna.log_in(server)
    assert anna.seen_by(server) == "anna"


def test_S3_a_logout_at_one_worker_is_one_at_the_other_at_once(two_workers, anna):
    server, = two_workers.servers
    workers = set()
    for _ in range(MOST_REQUESTS):
        anna.log_in(server)
        thief = anna.copy()
        workers.add(anna.post(server, "/logout").json()["pid"])
        assert thief.seen_by(server) is None
        if len(workers) == 2:
            break
    assert len(workers) == 2


def test_S11_a_slow_handler_in_one_worker_brings_no_session_back_that_the_other_ended(two_workers, anna):
    server, = two_workers.servers
    anna.log_in(server)
    thief = anna.copy()
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(thief.post, server, "/note", note="late", gate="gate")
        two_workers.wait_at_gate("gate")
        quick = anna.post(server, "/logout").json()["pid"]
        two_workers.open_gate("gate")
    late = request.result()
    assert late.json()["who"] == "anna"
    assert late.json()["pid"] != quick
    assert "session" not in late.cookies
    assert thief.seen_by(server) is None


def test_S6_a_password_that_was_changed_at_one_worker_ends_the_sessions_at_the_other(two_workers, anna):
    server, = two_workers.servers
    with Visitor("phone") as phone:
        anna.log_in(server)
        phone.log_in(server)
        assert phone.seen_by(server) == "anna"
        anna.post(server, "/password")
        assert phone.seen_by(server) is None
        assert anna.seen_by(server) == "anna"

"""The servers of examples/fleet: a central app under uvicorn, and boards.

    fleet = Fleet(folder, {"pump-7": "builtin-micropython"})
    fleet.start()
    fleet.ask("pump-7", fleet.token("pump-7"))
"""
import json
import re
import subprocess
import sys

import httpx

from tests.server.conftest import ROOT, SOURCE, Server, command_for, environment_for

FLEET = ROOT / "examples" / "fleet"
PASSWORD = "correct horse battery staple"


class Fleet:
    """The servers, each with a folder of its own, and the accounts of Anna and Bert."""

    def __init__(self, folder, boards):
        self.servers = []
        self.central = self.server(folder, "central", "uvicorn")
        self.boards = {name: self.server(folder, name, kind) for name, kind in boards.items()}

    def server(self, folder, name, kind):
        data = folder / name
        data.mkdir()
        server = Server(kind, command_for(kind, "board.py", "central:app", ""), FLEET, data, {
            **environment_for(kind), "FLEET_DATA": str(data)})
        self.servers.append(server)
        return server

    def command(self, *arguments, **options):
        environment = {
            "FLEET_DATA": str(self.central.data), "FLEET_CENTRAL": self.central.url, "PYTHONPATH": str(SOURCE)}
        done = subprocess.run([sys.executable, "central.py", *arguments], cwd=FLEET, env=environment, text=True,
                              capture_output=True, timeout=60, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        self.command("user", "anna", "read", "write", input=PASSWORD + "\n")
        self.command("user", "bert", "read", input=PASSWORD + "\n")
        for name, board in self.boards.items():
            # Chromium is to tell them apart, as it does with boards that have hosts of their own.
            (board.data / "board.json").write_text(self.command("board", name, browser_url(board, name)))
        for server in self.servers:
            server.start()

    def stop(self):
        for server in self.servers:
            server.stop()

    def token(self, board, name="anna"):
        answer = httpx.post(f"{self.central.url}/api/boards/{board}/token", auth=(name, PASSWORD), trust_env=False,
                            timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()["token"]

    def login_token(self, board, name="anna"):
        """What the central app has a browser take to the board."""
        with httpx.Client(base_url=self.central.url, trust_env=False, timeout=20) as client:
            assert client.post("/login", data={"username": name, "password": PASSWORD}).status_code == 302
            return re.search('name="token" value="([^"]+)"', client.get(f"/boards/{board}").text).group(1)

    def key(self, board):
        return json.loads((self.boards[board].data / "board.json").read_text())["key"]

    def ask(self, board, token, path="/state", method="GET"):
        return httpx.request(method, self.boards[board].url + path, trust_env=False, timeout=20,
                             headers={"Authorization": "Bearer " + token, "Accept": "application/json"})


def browser_url(board, name):
    return f"http://{name}.lan:{board.port}"

"""A client that goes away in the middle of a request has asked for nothing, on every server."""

from pathlib import Path

from tests.server.apps.forms import TOKEN
from tests.server.client import browser, request

APP = Path(__file__).with_name("apps") / "forms.py"
BODY = "password=correct+horse+battery+staple"


def test_what_a_client_has_sent_half_of_is_not_taken_for_all_of_it(serve, kind):
    server = serve(APP, kind)
    whole = request("/token", "POST", headers=["Authorization: Bearer " + TOKEN], body=BODY,
                    content_type="application/x-www-form-urlencoded")
    for length in (1, 12, len(BODY) - 1):
        server.exchange(whole[:length - len(BODY)], done=True)
    with browser(server) as client:
        assert client.get("/changed").text == "0"
        assert b"changed by anna" in server.exchange(whole)
        assert client.get("/changed").text == "1"

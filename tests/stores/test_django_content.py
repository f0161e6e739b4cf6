"""What Django keeps in a session, and what is left of it when dotlatch has saved it: all, under the same names."""

import copy

from hypothesis import given, settings
from hypothesis import strategies as st

from dotlatch.proofs import OURS
from dotlatch.server.django import DjangoUsers
from dotlatch.server.django_content import BACKEND, Content

CONTENT = Content(DjangoUsers("sqlite+aiosqlite:///x.db"), [BACKEND, "another.Backend"])
LEAVES = (st.none() | st.booleans() | st.integers() | st.text(max_size=5)
          | st.sampled_from(["7", "07", "-1", "x", BACKEND, "another.Backend", "third.Backend"]))
NAMES = st.sampled_from([*OURS, "of", "user", "own", "iat", "seen", "until", "jti", "cart"])
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
                      max_leaves=8)
DJANGOS = st.sampled_from([
    "_auth_user_id", "_auth_user_backend", "_auth_user_hash", "_dotlatch", "_session_expiry", "cart", *OURS])


def without_ours(content):
    return {name: value for name, value in content.items() if name != "_dotlatch"}


@given(st.dictionaries(DJANGOS, VALUES, max_size=8), st.integers(0, 1 << 33))
@settings(max_examples=150, deadline=None)
def test_nothing_of_djangos_is_lost_or_made_up_when_it_is_saved_here(content, saved):
    before = copy.deepcopy(content)
    record = CONTENT.read(content, saved)
    written = CONTENT.write({**record, "exp": 1})
    assert without_ours(written) == without_ours(before)
    again = CONTENT.read(copy.deepcopy(written), saved)
    assert (again["data"], again.get("user")) == (record["data"], record.get("user"))


@given(st.dictionaries(DJANGOS, VALUES, max_size=8))
@settings(max_examples=150, deadline=None)
def test_who_is_logged_in_is_who_djangos_names_say(content):
    content.pop("_dotlatch", None)
    before = copy.deepcopy(content)
    data = CONTENT.read(content, 1795305600)["data"]
    assert not {"_password", "_actor", "_half"} & set(data)
    if "_user_id" in data:
        assert str(data["_user_id"]) == before["_auth_user_id"] and data["_stamp"] == before["_auth_user_hash"]
        assert before["_auth_user_backend"] in CONTENT.backends

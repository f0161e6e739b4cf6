"""What Django signs, against what a Django has made: current, compressed and old texts, and hashes in sessions."""

import json
import zlib
from pathlib import Path

import pytest
from django.core import signing
from hypothesis import given, settings
from hypothesis import strategies as st

from dotlatch.portable import b64url_decode, b64url_encode
from dotlatch.server.django_codec import COOKIE_SALT, MAX_TEXT, SALT, DjangoCodec, django_keys

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
TODAY = json.loads((VECTORS / "django_sessions.json").read_text())
LEGACY = json.loads((VECTORS / "django_legacy_sessions.json").read_text())
KEYS = django_keys(TODAY["SECRET_KEY"])


def test_the_vectors_are_all_there():
    assert [len(TODAY["accept"]), len(TODAY["reject"]), len(LEGACY["accept"])] == [9, 9, 5]


@pytest.mark.parametrize("row", TODAY["accept"], ids=lambda row: row["case"])
def test_what_django_has_written_is_read(row):
    assert DjangoCodec(KEYS).decode(row["session_data"]) == (row["data"], row["timestamp"])


@pytest.mark.parametrize("row", [row for row in TODAY["accept"] if row["compress"]], ids=lambda row: row["case"])
def test_what_is_written_is_what_django_would_write(row):
    written = DjangoCodec(KEYS).encode(row["data"], row["timestamp"])
    if row["is_compressed"]:  # by another zlib, perhaps, to other bytes
        assert written.startswith(".")
        assert DjangoCodec(KEYS).decode(written) == (row["data"], row["timestamp"])
    else:
        assert written == row["session_data"]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("row", TODAY["reject"], ids=lambda row: row["case"])
def test_what_django_refuses_is_refused(row, legacy):
    with pytest.raises(ValueError):
        DjangoCodec(django_keys(TODAY["SECRET_KEY"], legacy), legacy=legacy).decode(row["session_data"])


@pytest.mark.parametrize("row", LEGACY["accept"], ids=lambda row: row["case"])
def test_what_an_old_django_has_written_is_read_where_that_is_asked_for(row):
    codec = DjangoCodec(django_keys(LEGACY["SECRET_KEY"], legacy=True), legacy=True)
    assert codec.decode(row["session_data"]) == (row["data"], 0)
    assert codec.encode(row["data"], 5) == row["session_data"]
    with pytest.raises(ValueError):
        DjangoCodec(KEYS).decode(row["session_data"])


def test_a_reader_of_old_texts_reads_those_of_today_too():
    row = TODAY["accept"][2]
    codec = DjangoCodec(django_keys(TODAY["SECRET_KEY"], legacy=True), legacy=True)
    assert codec.decode(row["session_data"]) == (row["data"], row["timestamp"])


def test_the_hash_in_a_session_is_djangos():
    user, old = TODAY["user"], LEGACY["user"]
    assert KEYS[0].stamp(user["password"]) == user["session_auth_hash"]
    assert KEYS[0].stamp(TODAY["after_password_change"]["new_password_hash"]) != user["session_auth_hash"]
    assert django_keys(LEGACY["SECRET_KEY"], legacy=True)[0].stamp(old["password"]) == old["session_auth_hash"]


def test_the_row_of_a_real_table_is_read():
    data, _ = DjangoCodec(KEYS).decode(TODAY["example_db_row"]["session_data"])
    assert data["_auth_user_id"] == "7" and data["_auth_user_hash"] == TODAY["user"]["session_auth_hash"]


def test_every_key_reads_and_the_first_one_writes():
    old, new = [django_keys(f"the {age} key of this project 0123456789") for age in ("old", "new")]
    text = DjangoCodec(old).encode({"a": 1}, 1800000000)
    assert DjangoCodec(new + old).decode(text) == ({"a": 1}, 1800000000)
    assert DjangoCodec(new).decode(DjangoCodec(new + old).encode({"a": 1}, 1)) == ({"a": 1}, 1)
    with pytest.raises(ValueError):
        DjangoCodec(new).decode(text)


@pytest.mark.parametrize("legacy", [False, True])
def test_no_changed_character_goes_unnoticed(legacy):
    codec = DjangoCodec(django_keys(TODAY["SECRET_KEY"], legacy), legacy=legacy)
    text = codec.encode({"user": "anna", "n": 1}, 1800000000)
    for at in range(len(text)):
        for character in "A9-_:.=é":
            changed = text[:at] + character + text[at + 1:]
            if changed != text:
                with pytest.raises(ValueError):
                    codec.decode(changed)


def test_what_json_cannot_carry_is_said_before_it_is_written():
    for wrong in ({"a": b"bytes"}, {"a": {1, 2}}, {1: "a"}, {"a": float("inf")}, {"a": "\ud800"}):
        with pytest.raises(TypeError):
            DjangoCodec(KEYS).encode(wrong, 1800000000)


def test_what_is_written_is_ascii_as_django_reads_it():
    payload = DjangoCodec(KEYS).encode({"ü": "☃"}, 1800000000).split(":")[0]
    assert b64url_decode(payload) == b'{"\\u00fc":"\\u2603"}'


def test_what_would_unpack_to_more_than_there_is_room_for_is_refused():
    codec = DjangoCodec(KEYS)
    for data in (b"{}" + b" " * MAX_TEXT, b"{}" + b" " * (64 * MAX_TEXT)):
        text = "." + b64url_encode(zlib.compress(data)) + ":1xocE4"
        assert len(text) < MAX_TEXT
        with pytest.raises(ValueError, match="too long"):
            codec.decode(text + ":" + codec._signature(text, codec._keys[0]))


def test_a_text_for_one_purpose_is_none_for_another():
    text = DjangoCodec(KEYS, COOKIE_SALT).encode({"a": 1}, 1800000000)
    with pytest.raises(ValueError):
        DjangoCodec(KEYS).decode(text)


# --- against Django itself ------------------------------------------------------------------------------

LEAVES = (st.none() | st.booleans() | st.integers(-10 ** 30, 10 ** 30)
          | st.floats(allow_nan=False, allow_infinity=False)
          | st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(
    st.characters(exclude_categories=["Cs"]), max_size=9), inner, max_size=4), max_leaves=12)
CONTENT = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), VALUES, max_size=6)


def signer(salt):
    return signing.TimestampSigner(key=TODAY["SECRET_KEY"], fallback_keys=[], salt=salt)


@given(CONTENT, st.sampled_from([SALT, COOKIE_SALT]), st.integers(0, 1 << 40), st.integers(1, 99))
@settings(max_examples=150, deadline=None)
def test_either_reads_what_the_other_writes(content, salt, time, times):
    content["much"] = "tea, " * times  # which compresses well
    codec = DjangoCodec(KEYS, salt)
    written = codec.encode(content, time)
    assert signer(salt).unsign_object(written) == content
    assert codec.decode(signer(salt).sign_object(content, compress=True))[0] == content
    assert codec.decode(written) == (content, time)


@given(st.text("._:-=0Aaz\u00e9", max_size=30), st.sampled_from(["", ".", ":"]))
@settings(max_examples=150, deadline=None)
def test_no_text_that_django_refuses_is_read(text, before):
    signed = before + text
    for candidate in (signed, signing.Signer(key=TODAY["SECRET_KEY"], fallback_keys=[], salt=SALT).sign(signed)):
        try:
            theirs = signer(SALT).unsign_object(candidate)
        except Exception:
            theirs = None
        try:
            ours = DjangoCodec(KEYS).decode(candidate)[0]
        except ValueError:
            ours = None
        assert ours is None or ours == theirs


def test_what_could_not_be_read_again_is_not_written():
    for legacy in (False, True):
        codec = DjangoCodec(django_keys(TODAY["SECRET_KEY"], legacy), legacy=legacy)
        assert codec.decode(codec.encode({"a": "x" * 300000}, 1))[0]["a"]
        for character in "x\u00e9":
            with pytest.raises(ValueError, match="keep less"):
                codec.encode({"a": character * MAX_TEXT}, 1)

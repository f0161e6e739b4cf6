"""A real Django in a process of its own: the project of examples/django_neighbour, asked over pipes.

    python -m tests.stores.django_worker

Each line of its input is JSON: the name of a function below, its arguments, and settings that hold for this call.
Each line of its output is the answer.
"""

# ruff: noqa: E402 (Django is set up before its models are imported)
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "django_neighbour"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

import django

django.setup()

from django.contrib.auth import authenticate, get_user_model, hashers
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings

User = get_user_model()
NAME = User.USERNAME_FIELD


class Cheap(hashers.PBKDF2PasswordHasher):
    """Django's default, at a cost that tests can pay."""

    iterations = 1000


def version():
    return django.get_version()


def migrate():
    call_command("migrate", verbosity=0)
    connection.close()  # for the file to be copied


def use(path):
    """Go on with another SQLite file."""
    connection.close()
    connection.settings_dict["NAME"] = path


def forget_connection():
    """Of a server that was killed."""
    connection.close()


def request(method, path, form, cookies):
    """What a browser with these cookies sees, and which it has then."""
    client = Client(HTTP_HOST="127.0.0.1", raise_request_exception=False)
    for name in cookies:
        client.cookies[name] = cookies[name]
    answer = client.generic(method, path, form, "application/x-www-form-urlencoded")
    set_now = {name: morsel.value for name, morsel in answer.cookies.items()}
    return {"status": answer.status_code, "text": answer.content.decode(), "cookies": set_now}


# --- users ----------------------------------------------------------------------------------------

def add_user(name, password, fields):
    made = User.objects.create_user(name, password=password, **fields)
    return str(made.pk)


def change_user(name, fields):
    User.objects.filter(**{NAME: name}).update(**fields)


def set_password(name, password):
    found = User.objects.get_by_natural_key(name)
    found.set_password(password)
    found.save()


def user(name):
    """The row, as the model reads it."""
    found = User.objects.get_by_natural_key(name)
    fields = {field.name: getattr(found, field.name) for field in User._meta.concrete_fields}
    for field in ("last_login", "date_joined"):
        if fields.get(field):
            fields[field] = fields[field].timestamp()
    return {**fields, "id": str(fields["id"])}


def allow(name, permissions, groups):
    """Give permissions, and membership of groups with permissions of their own."""
    found = User.objects.get_by_natural_key(name)
    found.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    for group in groups:
        made, _ = Group.objects.get_or_create(name=group)
        made.permissions.set(Permission.objects.filter(codename__in=groups[group]))
        found.groups.add(made)


def all_permissions(name):
    return sorted(User.objects.get_by_natural_key(name).get_all_permissions())


def log_in_as(name, password):
    """What Django's authenticate() says."""
    found = authenticate(username=name, password=password)
    return None if found is None else str(found.pk)


def make_hash(password, hasher):
    return hashers.make_password(password, hasher=hasher)


def check_hash(password, hashed):
    """Whether it is right, and whether Django would make it anew."""
    return hashers.check_password(password, hashed), hashers.identify_hasher(hashed).must_update(hashed)


# --- sessions -------------------------------------------------------------------------------------

def new_session(data, seconds):
    session = SessionStore()
    session.update(data)
    session.set_expiry(seconds)
    session.save()
    return session.session_key


def cookie_lifetime(key):
    """The Max-Age of the cookie by which a browser keeps a session that Django saves now; '' for none."""
    client = Client(HTTP_HOST="127.0.0.1")
    client.cookies["sessionid"] = key
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        return client.get("/").cookies["sessionid"]["max-age"]


def session(key):
    """What Django finds in it, or None where there is no row."""
    row = Session.objects.filter(pk=key).first()
    return None if row is None else {"data": row.get_decoded(), "ends": row.expire_date.timestamp()}


def write_row(key, text):
    Session.objects.filter(pk=key).update(session_data=text)


def main():
    for line in sys.stdin:
        name, arguments, settings = json.loads(line)
        settings.setdefault("PASSWORD_HASHERS", [__name__ + ".Cheap"])
        with override_settings(**settings):
            try:
                answer = {"answer": globals()[name](*arguments)}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

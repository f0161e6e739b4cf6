"""The example's settings, with a user model of the tests' own."""
# ruff: noqa: F403, F405 (a project takes over settings like this)
from shop.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "tests.stores.django_custom"]
AUTH_USER_MODEL = "django_custom.Account"

from shop.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.stores.django_custom"]  # noqa: F405
AUTH_USER_MODEL = "django_custom.Account"

"""What Django is told. Nothing here is for dotlatch, but that ``common.py`` has what both sides have to know."""
from urllib.parse import unquote, urlsplit

import common

SECRET_KEY = common.SECRET_KEY
SECRET_KEY_FALLBACKS = common.FALLBACKS
DEBUG = False
ALLOWED_HOSTS = ['127.0.0.1', 'localhost', 'shop.lan']
ROOT_URLCONF = 'shop.urls'
USE_TZ = True
DEFAULT_AUTO_FIELD = 'django.db.models.BigAutoField'

INSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'django.contrib.sessions', 'shop']
MIDDLEWARE = [
    'django.contrib.sessions.middleware.SessionMiddleware',
    'django.middleware.csrf.CsrfViewMiddleware',
    'django.contrib.auth.middleware.AuthenticationMiddleware',
]
TEMPLATES = [{
    'BACKEND': 'django.template.backends.django.DjangoTemplates',
    'APP_DIRS': True,
    'OPTIONS': {'context_processors': ['django.template.context_processors.request',
                                       'django.contrib.auth.context_processors.auth']},
}]
LOGIN_URL = '/accounts/login/'
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = '/'

_url = urlsplit(common.DATABASE)
if _url.scheme == 'sqlite':
    DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': _url.path[1:]}}
else:
    DATABASES = {'default': {
        'ENGINE': 'django.db.backends.postgresql', 'NAME': _url.path[1:], 'USER': unquote(_url.username or ''),
        'PASSWORD': unquote(_url.password or ''), 'HOST': _url.hostname, 'PORT': _url.port or 5432}}

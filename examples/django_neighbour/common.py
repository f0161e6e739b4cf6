"""What the Django project and the Microdot app have to agree on: the key, and where the database is.

Three settings come from the environment: SHOP_DATA, a folder (default: data, beside this file), and SHOP_DATABASE, the
address of a PostgreSQL (postgresql://user:password@host:port/name) in place of the SQLite file in that folder; and
SHOP_OLD_KEYS, the keys that were replaced lately.
"""
import os
from pathlib import Path

from dotlatch.files import load_or_create

DATA = Path(os.environ.get('SHOP_DATA') or Path(__file__).with_name('data'))
DATA.mkdir(mode=0o700, parents=True, exist_ok=True)

SECRET_KEY = load_or_create(str(DATA / 'secret.key')).hex()
FALLBACKS = os.environ.get('SHOP_OLD_KEYS', '').split()  # newest first, until everybody has come back

DATABASE = os.environ.get('SHOP_DATABASE') or f'sqlite:///{DATA}/shop.db'
ENGINE = DATABASE.replace('postgresql:', 'postgresql+asyncpg:').replace('sqlite:', 'sqlite+aiosqlite:')  # SQLAlchemy's

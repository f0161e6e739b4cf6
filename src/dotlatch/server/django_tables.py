"""Django's tables, as SQLAlchemy writes them: sessions, users, and who may do what.

Needs ``pip install dotlatch[sqlalchemy]``. Django makes these tables, and :mod:`dotlatch.server.django` uses them::

    users_table(MetaData())                                                      # auth_user
    users_table(MetaData(), 'accounts_user', 'email', Uuid(as_uuid=False))       # of a project's own user model
"""
import datetime
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    select,
    union_all,
)

_PASSWORD = 128  # characters that AbstractBaseUser has for a hash
_LISTED = 10000  # permissions of one user: a superuser has four for each model


class Moment(TypeDecorator[float]):
    """Unix seconds here, a time with its zone in PostgreSQL, a time of UTC in SQLite: as Django has it with USE_TZ."""
    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type:
        return float

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String() if dialect.name == 'sqlite' else DateTime(timezone=True))

    def process_bind_param(self, value: 'float | None', dialect: Dialect) -> Any:
        if value is None:
            return None
        time = datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
        return time if dialect.name != 'sqlite' else time.replace(tzinfo=None).isoformat(' ', 'microseconds')

    def process_result_value(self, value: Any, dialect: Dialect) -> 'float | None':
        try:
            time = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:  # in SQLite a column takes anything
            time = None
        if not isinstance(time, datetime.datetime):
            return None
        return (time if time.tzinfo is not None else time.replace(tzinfo=datetime.timezone.utc)).timestamp()


def sessions_table(metadata: MetaData, name: str = 'django_session') -> Table:
    """Return the table of ``django.contrib.sessions``."""
    return Table(
        name, metadata,
        Column('session_key', String(40), primary_key=True),
        Column('session_data', Text, nullable=False),
        Column('expire_date', Moment, nullable=False, index=True),
    )


def users_table(metadata: MetaData, name: str = 'auth_user', username: str = 'username', id_type: Any = Integer,
                columns: 'Iterable[Column[Any]] | None' = None) -> Table:
    """Return the table of ``django.contrib.auth``, or of a project's own user model.

    :param username: the column of the model's ``USERNAME_FIELD``.
    :param id_type: ``Integer``, ``BigInteger``, ``String(n)``, or ``Uuid(as_uuid=False)``.
    :param columns: the others than id, password, last_login, is_active and the name; those of ``auth_user`` unless
        given.
    """
    if columns is None:
        columns = [
            Column('is_superuser', Boolean, nullable=False), Column('is_staff', Boolean, nullable=False),
            Column('first_name', String(150), nullable=False), Column('last_name', String(150), nullable=False),
            Column('email', String(254), nullable=False), Column('date_joined', Moment, nullable=False)]
    return Table(
        name, metadata,
        Column('id', id_type, primary_key=True),
        Column('password', String(_PASSWORD), nullable=False),
        Column('last_login', Moment),
        Column('is_active', Boolean, nullable=False),
        Column(username, String(254 if username == 'email' else 150), nullable=False, unique=True),
        *[column for column in columns if column.name != username],
    )


def permissions_of(users: Table, member: str = 'user_id') -> 'Select[Any]':
    """Return what asks for the permissions and groups of the user ``this``: all permissions, if ``is_superuser``.

    :param member: the column that names the user in the tables between: the model's name in lower case, and ``_id``.
    """
    metadata = MetaData()
    kind: 'Any' = users.c.id.type
    permission = _table(metadata, 'auth_permission', {'id': Integer, 'content_type_id': Integer, 'codename': Text})
    content = _table(metadata, 'django_content_type', {'id': Integer, 'app_label': Text})
    group = _table(metadata, 'auth_group', {'id': Integer, 'name': Text})
    of_group = _table(metadata, 'auth_group_permissions', {'group_id': Integer, 'permission_id': Integer})
    groups = _table(metadata, users.name + '_groups', {'group_id': Integer, member: kind})
    own = _table(metadata, users.name + '_user_permissions', {'permission_id': Integer, member: kind})
    this, is_superuser = bindparam('this', type_=kind), bindparam('is_superuser', type_=Boolean)
    joined = of_group.join(groups, of_group.c.group_id == groups.c.group_id)
    by_group = select(of_group.c.permission_id).select_from(joined).where(groups.c[member] == this)
    directly = select(own.c.permission_id).where(own.c[member] == this)
    may = select((content.c.app_label + '.' + permission.c.codename).label('scope')).join_from(
        permission, content, content.c.id == permission.c.content_type_id).where(
        is_superuser | permission.c.id.in_(directly) | permission.c.id.in_(by_group))
    named = select(('group:' + group.c.name).label('scope')).join_from(
        group, groups, group.c.id == groups.c.group_id).where(groups.c[member] == this)
    found = union_all(may, named).subquery()
    return select(found.c.scope).distinct().order_by(found.c.scope).limit(_LISTED)


def _table(metadata: MetaData, name: str, columns: 'dict[str, Any]') -> Table:
    return Table(name, metadata, *[Column(column, columns[column]) for column in columns])

"""Which columns of a table hold users, and how a row becomes a user.

Needs users.py, userfactor.py, strictjson.py and portable.py, errors.py of this folder, and
``pip install dotlatch[sqlalchemy]``::

    users_table(metadata)                              # a table with all that users have
    UserColumns(accounts, {'name': 'email'}, ('city',))   # a program's own table, or mapped class
"""
import re
from collections.abc import Iterable, Mapping
from typing import Any, Union

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    inspect,
)

from .. import strictjson, userfactor
from ..portable import b64url_encode, random_bytes, utf8
from ..users import User
from .errors import StoreUnavailable

_NEEDED = ('id', 'name', 'name_key', 'password_hash', 'is_active', 'session_version')
_FACTOR = ('totp', 'totp_step', 'recovery')  # all of them, or none
_OPTIONAL = ('scopes', 'digest_ha1', *_FACTOR)
_KINDS = ((str, ('name', 'name_key', 'password_hash', 'digest_ha1', 'totp', 'recovery')),
          (int, ('session_version', 'totp_step')))
_UUID = re.compile('[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')  # another spelling would be another id of one user
_LONGEST = 255  # characters of a name or id that is looked for

UserTable = Union[Table, type]


def users_table(metadata: MetaData, name: str = 'dotlatch_users') -> Table:
    """Return the table, added to ``metadata``: a program's own, for Alembic to see it with the others."""
    return Table(
        name, metadata,
        Column('id', String(16), primary_key=True),                # random
        Column('name', String(64), nullable=False),
        Column('name_key', String(64), nullable=False, unique=True),  # the name with A to Z in lower case
        Column('password_hash', Text),
        Column('scopes', Text, nullable=False),                    # JSON
        Column('is_active', Boolean, nullable=False),
        Column('session_version', Integer, nullable=False),
        Column('digest_ha1', Text),
        Column('totp', Text),
        Column('totp_step', BigInteger, nullable=False),
        Column('recovery', Text),
    )


class UserColumns:
    """The columns of a table that hold what a :class:`dotlatch.users.User` has.

    :raises ValueError: when one is missing that users cannot do without, or is of a type that cannot do.
    """
    def __init__(self, source: UserTable, names: 'Mapping[str, str] | None' = None,
                 extra: 'Iterable[str]' = ()) -> None:
        given = dict(names or {})
        unknown = sorted(set(given) - {*_NEEDED, *_OPTIONAL})
        if unknown:
            raise ValueError(f'a user has no {unknown[0]}: give other columns as extra')
        mapper: Any = None if isinstance(source, Table) else inspect(source)
        if mapper is not None and mapper.single:
            raise ValueError(f'{mapper.class_.__name__} has the table of another class, whose rows would be its users')
        found: Any = source.c if isinstance(source, Table) else mapper.columns
        self.table: Table = source if isinstance(source, Table) else mapper.local_table
        self._of: 'dict[str, Column[Any]]' = {}
        factor = _FACTOR if any(given.get(field, field) in found for field in _FACTOR) else ()
        for field in (*_NEEDED, *_OPTIONAL):
            name = given.get(field, field)
            if name in found:
                self._of[field] = found[name]
            elif field in _NEEDED or field in factor or field in given:
                raise ValueError(f'the table has no column {name}, which holds the {field} of a user')
        self.extra = tuple(dict.fromkeys(extra))
        for field in self.extra:
            if field not in found or hasattr(User('', ''), field):
                raise ValueError(f'{field} is no column of the table, or one that users have anyway')
            self._of[field] = found[field]
        if any(column.table is not self.table for column in self._of.values()):
            raise ValueError('all columns of users are of one table')
        self._check_types()
        ours = list(self._of.values())
        others: 'list[Column[Any]]' = [column for column in self.table.c if not any(column is one for one in ours)]
        for column in others:
            if is_demanded(column):
                raise ValueError(f'the column {column.name} may not be NULL: name it in extra, for create() to fill it')
        self._fields = tuple(field for field in self._of if field != 'name_key')
        if len({id(self._of[field]) for field in self._fields}) < len(self._fields):
            raise ValueError('two things that a user has are in one column')
        # Asked of the database: in SQLite a Boolean column takes anything, and 'f' would be read as true.
        self.is_active = self._of['is_active'].is_(True)
        self.selected: 'tuple[ColumnElement[Any], ...]' = tuple(
            self.is_active if field == 'is_active' else self._of[field] for field in self._fields)
        self.read: 'tuple[Any, ...]' = self.selected  # what is selected for user_of()

    def __contains__(self, field: str) -> bool:
        return field in self._of

    def __getitem__(self, field: str) -> 'Column[Any]':
        """Return the column; RuntimeError where there is none for what is to be written."""
        if field not in self._of:
            raise RuntimeError(f'the table has no column for the {field} of users')
        return self._of[field]

    def equals(self, field: str, value: 'str | int') -> 'ColumnElement[bool]':
        return self[field] == value

    def values(self, fields: 'Mapping[str, Any]') -> 'dict[Column[Any], Any]':
        """Return what is written for these fields of a user."""
        values = {self[field]: fields[field] for field in fields}
        if 'scopes' in fields and not self._is_list:
            try:
                values[self['scopes']] = strictjson.dumps(fields['scopes']).decode()
            except TypeError:
                raise ValueError('scopes are a list of strings that UTF-8 can hold') from None
        for column in values:  # SQLite would take it, and PostgreSQL answer with an error
            longest = getattr(column.type, 'length', None)
            if longest and isinstance(values[column], str) and len(values[column]) > longest:
                raise ValueError(f'the column {column.name} has room for {longest} characters')
        return values

    def new_id(self) -> 'str | None':
        """Return a new id, or ``None`` where the table or the database makes one."""
        column = self._of['id']
        if self._ids.bits or column.default is not None or column.server_default is not None:
            return None
        return b64url_encode(random_bytes(9))

    def check_extra(self, given: 'Mapping[str, Any]') -> None:
        """Raise TypeError unless these are values for a new row. A database may write a row that it refuses to its log.
        """
        for field in given:
            if field not in self.extra:
                raise TypeError(f'{field} is not among the extra columns')
        for field in self.extra:
            if given.get(field) is None and is_demanded(self._of[field]):
                raise TypeError(f'a new user needs a value for {field}')
        for field in given:
            check_value(self._of[field], given[field])

    def is_id(self, value: object) -> bool:
        """Tell whether the table could hold such an id."""
        return value in self._ids

    def user_of(self, row: Any) -> Any:
        """Return the user that a row is; StoreUnavailable for a row that is none, so that nobody is let in by it."""
        return self.check(dict(zip(self._fields, row)))

    def renew(self, user: Any, row: 'Iterable[Any]') -> None:
        """Have in a user what a change has returned."""
        self.copy(user, self.user_of(row))

    def copy(self, user: Any, fresh: Any) -> None:
        """Have in a user what another object for the same one has."""
        user.__dict__.update(fresh.__dict__)

    def check(self, fields: 'dict[str, Any]') -> User:
        """Return the user that a row's columns make; StoreUnavailable when they make none."""
        try:
            return self._user(fields)
        except (ValueError, TypeError):
            pass
        raise StoreUnavailable('the row of a user is damaged')  # and not what it holds

    def _user(self, fields: 'dict[str, Any]') -> User:
        extra = {field: fields.pop(field) for field in self.extra}
        fields['is_active'] = fields['is_active'] is True
        for field in ('session_version', 'totp_step'):
            fields[field] = fields.get(field) or 0
        scopes = fields.get('scopes')
        if not self._is_list and scopes is not None:
            scopes = strictjson.loads(scopes.encode())
        fields['scopes'] = scopes = [] if scopes is None else scopes
        user = User(**fields)
        texts = (user.password_hash, user.digest_ha1)
        right = (self.is_id(user.id) and type(user.name) is str and type(user.session_version) is int
                 and type(scopes) is list and all(type(scope) is str for scope in scopes)
                 and all(text is None or type(text) is str for text in texts))
        if not right:
            raise ValueError('not a user')
        userfactor.check(user.totp, user.totp_step, user.recovery)
        for field in extra:
            setattr(user, field, extra[field])
        return user

    def _check_types(self) -> None:
        self._ids = Ids(self._of['id'])
        if not isinstance(_type_of(self._of['is_active']), Boolean):
            raise ValueError('is_active is a Boolean column')
        for wanted, fields in _KINDS:
            for field in fields:
                if field in self and _python_type(self._of[field].type) not in (wanted, object, None):  # or of its own
                    raise ValueError(f'the {field} of a user is in a column of {wanted.__name__}')
        for field in ('id', 'name_key'):
            column = self._of[field]
            if not _is_unique(self.table, column):
                raise ValueError(f'the column {column.name} has to be unique: two users could have the same one')
        self._is_list = 'scopes' in self._of and isinstance(_type_of(self._of['scopes']), (JSON, ARRAY))


class Ids:
    """The ids that a column could hold: for others some databases have an error, not an answer.

    ``bits`` are those of a number, or 0 for a text, and ``is_uuid`` says whether a text is a UUID.

    :raises ValueError: for a column that holds neither.
    """
    def __init__(self, column: 'Column[Any]') -> None:
        kind = _type_of(column)
        if _python_type(kind) not in (str, int):
            raise ValueError('the id of a user is a str or an int: for a UUID give the column Uuid(as_uuid=False)')
        self.bits = 0
        if _python_type(kind) is int:
            self.bits = 63 if isinstance(kind, BigInteger) else 15 if isinstance(kind, SmallInteger) else 31
        self.is_uuid = isinstance(kind, Uuid)

    def __contains__(self, value: object) -> bool:
        if self.bits:
            return type(value) is int and -1 << self.bits <= value < 1 << self.bits
        return is_text(value) and (not self.is_uuid or _UUID.fullmatch(str(value)) is not None)


def is_text(value: object) -> bool:
    """Tell whether a text could be the name or id of somebody. PostgreSQL has an error for a zero character."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or '\0' in value:
        return False
    try:
        utf8(value.encode())
    except ValueError:
        return False
    return True


def check_value(column: 'Column[Any]', value: Any) -> None:
    """Raise ValueError for what a column cannot have: a database may write a row that it refuses to its log."""
    if value is None:
        if not column.nullable:
            raise ValueError(f'the column {column.name} may not be NULL')
        return
    wanted = _python_type(column.type)
    given = float if wanted is float and type(value) is int else type(value)
    if wanted in (str, int, float, bool) and not (issubclass(given, wanted) and (given is bool) <= (wanted is bool)):
        raise ValueError(f'the column {column.name} takes a {wanted.__name__}, not a {given.__name__}')
    if isinstance(value, str):
        longest = getattr(column.type, 'length', None) or len(value)
        try:
            utf8(value.encode())
        except ValueError:
            longest = -1
        if len(value) > longest or '\0' in value:
            raise ValueError(f'the column {column.name} has no room for that: it is too long, or not all of it is text')


def _type_of(column: 'Column[Any]') -> Any:
    kind: Any = column.type
    return kind.impl if isinstance(kind, TypeDecorator) else kind


def _python_type(kind: Any) -> Any:
    try:
        return kind.python_type
    except NotImplementedError:
        return None


def is_demanded(column: 'Column[Any]') -> bool:
    """Tell whether a row has to bring a value."""
    is_counted = column.primary_key and _python_type(_type_of(column)) is int
    return not (column.nullable or is_counted or column.default is not None or column.server_default is not None)


def _is_unique(table: Table, column: 'Column[Any]') -> bool:
    """Tell whether the table says so: as a primary key, a constraint, or an index, of this column alone."""
    if column.unique:
        return True
    kinds = (UniqueConstraint, PrimaryKeyConstraint)
    groups: 'list[list[Any]]' = [list(group.columns) for group in table.constraints if isinstance(group, kinds)]
    groups.extend(list(index.expressions) for index in table.indexes if index.unique and not _is_partial(index))
    return any(len(group) == 1 and group[0] is column for group in groups)


def _is_partial(index: Index) -> bool:
    """Tell whether it is an index of some rows alone, such as those that are not marked as removed."""
    return any(option.endswith('_where') for option in index.dialect_kwargs)

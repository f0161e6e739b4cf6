"""Users that are instances of a mapped class of the program's own.

Needs usertable.py and what it needs, and ``pip install dotlatch[sqlalchemy]``; sqlalchemy_users.py loads it when it is
asked for instances::

    class Account(Base):
        __tablename__ = 'accounts'
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(String(64))
        name = synonym('email')              # a user is asked for its name
        ...

    users = SQLAlchemyUsers(url, Account, {'name': 'email'}, instances=True)
    account = await users.authenticate(email, password)   # an Account, or None
"""
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Table, inspect
from sqlalchemy.orm.attributes import set_committed_value

from .usertable import UserColumns, UserTable

_MARK = 'what nobody is shown: '
_SECRET = ('password_hash', 'digest_ha1', 'totp', 'recovery')


class InstanceColumns(UserColumns):
    """The columns of a mapped class, whose instances are the users.

    :raises ValueError: for a class whose instances do not have what is asked of users.
    """
    def __init__(self, source: UserTable, names: 'Mapping[str, str] | None' = None,
                 extra: 'Iterable[str]' = ()) -> None:
        if isinstance(source, Table):
            raise ValueError('a table has no instances: give the mapped class')
        super().__init__(source, names, extra)
        self.read = (source, self.is_active)
        self._mapper: Any = inspect(source)
        self._attributes = {field: self._attribute(field) for field in self._fields}
        if 'scopes' in self and not self._is_list:
            raise ValueError('scopes of instances are in a column JSON or ARRAY, so that they are a list')
        self._check_repr()

    def user_of(self, row: Any) -> Any:
        """Return the instance; StoreUnavailable when it is damaged."""
        instance, is_active, *_ = row
        set_committed_value(instance, self._attributes['is_active'], is_active)
        self.check({field: getattr(instance, field) for field in self._fields})
        return instance

    def renew(self, user: Any, row: 'Iterable[Any]') -> None:
        """Have in a user what a change has returned."""
        fields = dict(zip(self._fields, row))
        self.check(dict(fields))
        for field, attribute in self._attributes.items():
            set_committed_value(user, attribute, fields[field])

    def copy(self, user: Any, fresh: Any) -> None:
        """Have in a user what another object for the same one has."""
        for attribute in self._attributes.values():
            set_committed_value(user, attribute, getattr(fresh, attribute))

    def _attribute(self, field: str) -> str:
        """Return the name of the mapped attribute that an instance has as this field of a user."""
        synonyms = self._mapper.synonyms
        name = synonyms[field].name if field in synonyms else field
        found = self._mapper.column_attrs.get(name)
        if found is None or found.columns[0] is not self._of[field]:
            owner = self._mapper.get_property_by_column(self._of[field]).key
            raise ValueError(f"an instance is asked for its {field}: give the class {field} = synonym('{owner}')")
        if found.deferred:
            raise ValueError(f'{name} is deferred, and an instance has what is loaded with it: leave that out')
        return str(name)

    def _check_repr(self) -> None:
        """Look at what an instance shows of itself: it ends up in logs."""
        instance = self._mapper.class_manager.new_instance()
        for attribute in self._mapper.column_attrs.keys():
            set_committed_value(instance, attribute, None)
        for field in _SECRET:
            if field in self._attributes:
                set_committed_value(instance, self._attributes[field], _MARK + field)
        try:
            shown = repr(instance)
        except Exception:  # of a program's own, that cannot do with so little
            return
        for field in _SECRET:
            if _MARK + field in shown:
                raise ValueError(f'the repr of an instance would show its {field}: leave it out, as with repr=False')

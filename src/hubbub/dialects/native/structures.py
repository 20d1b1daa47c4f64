"""What frames of the native protocol are made of."""

import msgspec

from hubbub.core.ids import Person, Who


class User(msgspec.Struct):
    """A person; a guest's id is negative."""

    id: int
    name: str


def user(person: Person | Who) -> User:
    """A person as frames name them."""
    return User(person.id, person.name)

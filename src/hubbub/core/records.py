"""How commands, events and answers are declared."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Makes a slotted dataclass that is equal and hashed by value, and that nobody changes.

    That nobody does is for the type checker to see: several are made for every frame, and one that
    refuses assignments while it runs takes over three times as long to make.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)

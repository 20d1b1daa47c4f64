"""What a protocol has to be able to say, and what all of them read JSON with."""
# ruff: noqa: ARG002  The signatures of `Quiet` are those of every dialect.

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, NoReturn, Protocol, TypeVar, Union, cast

import msgspec
from msgspec import Meta, Raw, UnsetType

from hubbub.core.answers import Answer
from hubbub.core.commands import Command
from hubbub.core.errors import BadFrame, DomainError, Invalid
from hubbub.core.events import Envelope
from hubbub.core.ids import MAX_INTEGER, MAX_KEY, ChannelId, ChannelRef, Who, is_key
from hubbub.core.messages import check_client_id

MAX_DEPTH = 32
_NEAREST = MAX_DEPTH * len('{"":')
"""Where an object within so many others begins at the earliest."""

Named = Annotated[
    object,
    Meta(
        extra_json_schema={
            "type": ["integer", "string", "null"],
            "description": "What a channel or a person is called.",
        }
    ),
]
"""A field that names a channel or a person, in digits or letters, and is looked at by hand."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_EXPECTED = re.compile(r"Expected `([^`]+)`( of length)?(?: ([<>]=) (\d+))?")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_KINDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}
_UNREAD = (Raw, Raw | UnsetType)
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


@dataclass(slots=True)
class Link:
    """What one socket is bound to.

    `who` is None while a native socket has not connected, and for good on a socket that nobody
    stands behind. `channel` is the channel the path names, None where frames name theirs; after
    entering it is the channel's id, and `key` the key by which frames may also name it. `fallback`
    is the channel of frames that name none. `asked` is what the query says, for the protocol whose
    opening depends on it.
    """

    connection: str
    who: Who | None
    channel: ChannelRef | None = None
    fallback: ChannelRef | None = None
    key: str | None = None
    asked: Mapping[str, str] | None = None


class Request(msgspec.Struct, frozen=True):
    """A command as it came: `id` is the client's own number for it, where the protocol has one.

    A struct, since one is made for every frame and a frozen dataclass takes three times as long.
    """

    command: Command
    id: int | None = None


class Refused(msgspec.Struct, frozen=True):
    """A frame, or one of its lines, that holds no command. The socket stays open."""

    error: DomainError
    id: int | None = None


class Dialect(Protocol):
    """One wire protocol. Pure: the same input always gives the same output.

    Frames are UTF-8 JSON without a newline in them.
    """

    name: str
    """As in the contract: `rooms`, `conversations`, `native`."""

    lines: bool
    """Whether several objects may share one WebSocket message, separated by newlines."""

    pings: bool
    """Whether the server sends this protocol's own ping, and the token's expiry is enforced on
    open sockets (true of `native` alone)."""

    client_frames: Sequence[type[msgspec.Struct]]
    """Every frame that clients may send, as it is read."""

    server_frames: Sequence[type[msgspec.Struct]]
    """Every frame that the server may send. With `client_frames` this is what `/asyncapi.json` is
    made of, and what the authorisation matrix of the tests has rows for."""

    def decode(self, text: str, link: Link) -> Sequence[Request | Refused]:
        """Reads one WebSocket message. Never raises: what cannot be read comes back refused."""

    def encode(self, envelope: Envelope) -> bytes | None:
        """The frame that tells this event, None where the protocol has no word for it. The same
        for every receiver."""

    def greet(self, link: Link) -> Sequence[bytes]:
        """What a socket is told as soon as it is open."""

    def opening(self, link: Link) -> Command | None:
        """What opening this socket asks for by itself, such as entering the path's channel. When
        it is refused the socket is closed.

        Raises:
            DomainError: it asks for what nobody can have; the socket is closed.
        """

    def turn_away(self, error: DomainError) -> Sequence[bytes]:
        """What a socket is told before it is closed because it may not come in."""

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        """What the sender of a command is told when it succeeded."""

    def refuse(self, error: DomainError, id: int | None) -> bytes:
        """What the sender is told when it was refused."""

    def oust(self, link: Link, channel: ChannelId, name: str, error: DomainError) -> bytes | None:
        """What a socket is told whose user is no longer in the channel; None closes it instead."""

    def ping(self, moved: dict[ChannelId, int]) -> bytes | None:
        """The server's ping, with the top `seq` of channels that moved; None where the protocol
        has none."""


class Quiet(Dialect):
    """What the documents' protocols have in common: one object a message, no ping, and nothing said
    but events, errors and what each adds. Whoever is no longer in the channel is closed."""

    lines = False
    pings = False

    def greet(self, link: Link) -> Sequence[bytes]:
        return ()

    def turn_away(self, error: DomainError) -> Sequence[bytes]:
        return ()

    def answer(self, request: Request, answer: Answer, link: Link) -> Sequence[bytes]:
        return ()

    def oust(self, link: Link, channel: ChannelId, name: str, error: DomainError) -> bytes | None:
        return None

    def ping(self, moved: dict[ChannelId, int]) -> None:
        return None


def usable_client_id(value: object) -> str | None:
    """The `client_id` of a frame whose document does not know the field: one that would do for the
    native protocol counts, anything else is the client's own business."""
    try:
        return check_client_id(value)
    except Invalid:
        return None


T = TypeVar("T")


class Reader(Generic[T]):
    """Reads JSON objects into structs: one struct per `type`, or a single one without a tag.

    Unknown fields are ignored; of a key that comes twice the last one counts. Strings are checked
    for their type only: a lone surrogate or U+0000 in one is the caller's to refuse.
    """

    def __init__(self, *shapes: type[T]) -> None:
        structs = cast(tuple[type[msgspec.Struct], ...], shapes)
        self._shapes = {struct.__struct_config__.tag: struct for struct in structs}
        decoder = msgspec.json.Decoder(Union[structs])  # noqa: UP007
        self._decode = cast(Callable[[str], T], decoder.decode)

    def read(self, text: str) -> T | Refused:
        """Never raises. What is refused carries the object's `id` where it has a usable one."""
        # To count brackets takes as long as to read the frame, and most hold none so far behind.
        if ("[" in text or text.rfind("{") >= _NEAREST) and _deeper(text, MAX_DEPTH):
            return self._read_carefully(text, deep=True)
        try:
            return self._decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return self._read_carefully(text, deep=False)

    def _read_carefully(self, text: str, *, deep: bool) -> T | Refused:
        """The slow way, which finds out what is wrong, and that nothing is if so."""
        too_deep = Invalid(f"the frame is nested deeper than {MAX_DEPTH} levels", "too_deep")
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError:
            return Refused(too_deep)
        except ValueError:
            return Refused(BadFrame("the frame is not valid JSON"))
        if deep:
            return Refused(too_deep, _number(value))
        if not isinstance(value, dict):
            return Refused(BadFrame("the frame is not a JSON object"))
        try:
            return self._build(value)
        except Invalid as error:
            return Refused(error, _number(value))

    def _build(self, value: dict[str, object]) -> T:
        struct = self._shapes.get(None) or self._struct_for(value)
        fields = {}
        for field in msgspec.structs.fields(struct):
            name = field.encode_name
            if name in value:
                fields[field.name] = _convert(value[name], field.type, name)
            elif field.required:
                raise Invalid(f"{name} is missing", f"missing_{name}")
        return cast(T, struct(**fields))

    def _struct_for(self, value: dict[str, object]) -> type[msgspec.Struct]:
        if "type" not in value:
            raise Invalid("type is missing", "missing_type")
        kind = value["type"]
        if not isinstance(kind, str):
            raise Invalid("type must be a string", "invalid_type")
        struct = self._shapes.get(kind)
        if struct is None:
            # Only harmless text is quoted back: a refusal must be encodable, and stay short.
            quotable = kind.isascii() and kind.isprintable() and 0 < len(kind) <= 40
            raise Invalid(f"unknown type {kind!r}" if quotable else "unknown type", "unknown_type")
        return struct


def check_ref(ref: object, slug: str) -> ChannelRef:
    """Returns what a frame names a channel by, when any channel could have that id or key.

    Raises:
        Invalid: with `slug`.
    """
    if type(ref) is int and 0 <= ref <= MAX_INTEGER:
        return ref
    if isinstance(ref, str) and is_key(ref):
        return ref
    raise Invalid(
        f"this can be no channel's id (an integer below 2^53) or key (1 to {MAX_KEY} letters, "
        "digits and . _ ~ -)",
        slug,
    )


def _convert(value: object, kind: object, name: str) -> object:
    if kind in _UNREAD:
        # Somewhere in the frame is half a surrogate pair, perhaps here.
        raise Invalid("the frame holds what cannot be passed on", "invalid_data")
    try:
        return msgspec.convert(value, kind)
    except ValueError as error:
        raise Invalid(_complaint(name, str(error)), f"invalid_{name}") from None


def _complaint(name: str, reason: str) -> str:
    """What msgspec finds wrong with a field, for people to read."""
    reason, _, inside = reason.partition(" - at `$")
    name += inside.rstrip("`")
    if missing := _MISSING.fullmatch(reason):
        return f"{name}.{missing[1]} is missing"
    expected = _EXPECTED.match(reason)
    if expected is None:
        return f"{name} is none of what may stand there"
    kinds, length, sign, bound = expected.groups()
    must = " or ".join(_KINDS.get(kind, kind) for kind in kinds.split(" | "))
    if sign:
        must += f" of {'length ' if length else ''}at {'least' if sign == '>=' else 'most'} {bound}"
    return f"{name} must be {must}"


def _number(value: object) -> int | None:
    """The `id` that the answer to an unreadable command can still carry."""
    number = value.get("id") if isinstance(value, dict) else None
    return number if type(number) is int and 0 < number <= MAX_INTEGER else None


def _deeper(text: str, most: int) -> bool:
    """Whether arrays and objects are nested deeper than `most`; of what is no JSON, perhaps."""
    if text.count("[") + text.count("{") <= most:
        return False
    code = _STRING.sub("", text).encode(errors="replace")
    brackets = code.translate(_SQUARE, _NO_BRACKETS)
    if b"[" * (most + 1) in brackets:
        return True
    for _ in range(most):
        # Each time the innermost level falls away.
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)

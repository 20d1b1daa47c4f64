"""The sockets as an AsyncAPI 3.0 document, made of the very frames that the protocols read and
write."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hubbub import __version__
from hubbub.dialects.base import Dialect
from hubbub.web.doors import ECHO, WAYS, Way

DESCRIPTION = """\
Every path works with and without its last slash. A token comes as `?token=`, as
`Authorization: Bearer`, as the subprotocol pair `["bearer", token]`, or as a single-use `?ticket=`
from `POST /api/v1/tickets`. In open mode guests need none where the protocol's page lets them in.

Whoever may not come in is accepted and then closed; a foreign Origin is refused with 403 before
that. Close codes, on every path:

- 4000: the account is gone or disabled
- 4001: no token, a bad or expired one, or its session was ended
- 4003: not allowed here, or no longer
- 4004: there is no such channel
- 4200: the client read too slowly; connect again at once
- 1008: too many frames a second
- 1009: a message over 256 KiB
- 1012: the server restarts
- 1013: too many sockets of this user or address

What a field allows beyond its type, and what is answered when, is said in the pages of
`docs/protocol`."""

_SECURITY: Mapping[str, Mapping[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "token": {"type": "httpApiKey", "in": "query", "name": "token"},
    "ticket": {"type": "httpApiKey", "in": "query", "name": "ticket"},
    "subprotocol": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Sec-WebSocket-Protocol",
        "description": "`bearer, <token>`, which is what browsers can do",
    },
}


LOCAL = "127.0.0.1:8000"
"""Where a server is that nobody has asked yet: the default of `hubbub serve`."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said of a way besides what the way itself says. `query`: the fields that it needs."""

    description: str
    query: Sequence[str] = ()


_TOLD: Mapping[str, Told] = {
    "native": Told(
        "Many channels on one socket. A WebSocket message holds one or more objects, separated by "
        "newlines. The token may come in the first frame."
    ),
    "room": Told("One room, which is entered by connecting."),
    "rooms": Told("As many rooms as are joined."),
    "public": Told(
        "In open mode the same for a guest, who is in the lobby. In closed mode, without a token, "
        "only `ping` is answered."
    ),
    "echo": Told("Every message comes back unchanged."),
    "conversation": Told("One conversation of the user's."),
    "relay_chat": Told("Messages from one person to another."),
    "relay_video": Told("Calls in a room."),
    "conference": Told("Meetings: each connection is a peer."),
    "signaling": Told("Calls between usernames."),
    "peerjs": Told(
        "What the `peerjs` client speaks; its `token` is one of ours or, in open mode, any word.",
        query=("id", "key"),
    ),
}
"""By the name of the way."""

_PARAMETERS = {
    "room_id": "The room's key; where digits name an id, its id.",
    "conversation_id": "The conversation's id, or its key where that is not digits alone.",
    "user_id": "The user the socket is for: the external subject, else the username.",
}
_ANY = {"description": "Any JSON."}
_KEY = "The room's key. Digits, too, are a key here and no id."


def document(dialects: Mapping[str, Dialect]) -> dict[str, Any]:
    """The AsyncAPI document of these protocols. From the server's point of view, as the standard
    has it: it receives what clients send. The
    server is at `LOCAL`: see `located`."""
    spoken = [way for way in WAYS if way.door.dialect in (ECHO, *dialects)]
    messages: dict[str, Any] = {"echo.any.Text": {"name": "any", "payload": {"type": "string"}}}
    schemas: dict[str, Any] = {}
    for dialect in dialects.values():
        for side, frames in (("client", dialect.client_frames), ("server", dialect.server_frames)):
            prefix = f"{dialect.name}.{side}."
            components = _components(prefix, frames)
            schemas |= components
            messages |= {
                name: _message(frame, name, components[name])
                for frame in frames
                for name in (prefix + _plain(frame),)
            }
    operations: dict[str, Any] = {}
    for way in spoken:
        operations |= _operations(way, messages)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Hubbub", "version": __version__, "description": DESCRIPTION},
        "servers": {"local": {"host": LOCAL, "protocol": "ws"}},
        "defaultContentType": "application/json",
        "channels": {way.name: _channel(way, messages) for way in spoken},
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas, "securitySchemes": _SECURITY},
    }


def located(
    document: Mapping[str, Any], host: str, *, secure: bool = False, below: str = ""
) -> dict[str, Any]:
    """The document of a server that was asked for it at `host`, perhaps over TLS or mounted
    `below` a path."""
    server = {"host": host, "protocol": "wss" if secure else "ws"}
    if below:
        server["pathname"] = below
    return {**document, "servers": {"local": server}}


def _components(prefix: str, frames: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(
        frames, schema_hook=_anything, ref_template=f"#/components/schemas/{prefix}{{name}}"
    )
    # Most frames are private to their module, which is nothing to those who read this.
    text = msgspec.json.encode({prefix + name: schema for name, schema in components.items()})
    plain = re.sub(rf'(?<="title":")_|(?<={re.escape(prefix)})_', "", text.decode())
    named: dict[str, Any] = msgspec.json.decode(plain)
    for schema in named.values():
        for field in schema.get("properties", {}).values():
            if not field:
                field.update(_ANY)  # it is passed on as it came
    return named


def _anything(kind: type) -> dict[str, Any]:
    """The schema of a field that is looked at by hand."""
    if kind is not object:
        raise NotImplementedError
    return dict(_ANY)


def _message(frame: type[msgspec.Struct], name: str, schema: dict[str, Any]) -> dict[str, Any]:
    tag = frame.__struct_config__.tag
    told = {"summary": schema["description"]} if "description" in schema else {}
    return {
        "name": str(tag or _plain(frame)),
        **told,
        "payload": {"$ref": f"#/components/schemas/{name}"},
    }


def _plain(frame: type[msgspec.Struct]) -> str:
    return frame.__name__.lstrip("_")


def _of(way: Way, side: str, messages: Mapping[str, Any]) -> list[str]:
    echoes = way.door.dialect == ECHO
    prefix = "echo.any." if echoes else f"{way.door.dialect}.{side}."
    return [name for name in messages if name.startswith(prefix)]


def _channel(way: Way, messages: Mapping[str, Any]) -> dict[str, Any]:
    names = dict.fromkeys(_of(way, "client", messages) + _of(way, "server", messages))
    parameters = _PARAMETERS | ({"room_id": _KEY} if way.keys else {})
    told = _TOLD[way.name]
    return {
        "address": way.path,
        "description": told.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "parameters": {
            name: {"description": parameters[name]} for name in re.findall(r"\{(\w+)\}", way.path)
        },
        "bindings": {
            "ws": {
                "query": {
                    "type": "object",
                    "properties": {
                        name: {"type": "string"} for name in ("token", "ticket", *told.query)
                    },
                    "required": list(told.query),
                }
            }
        },
    }


def _operations(way: Way, messages: Mapping[str, Any]) -> dict[str, Any]:
    schemes = [] if way.door.anonymous or way.door.late else list(_SECURITY)
    told: dict[str, Any] = {"channel": {"$ref": f"#/channels/{way.name}"}}
    if schemes:
        told["security"] = [{"$ref": f"#/components/securitySchemes/{each}"} for each in schemes]
    return {
        f"{action}_{way.name}": {
            "action": action,
            **told,
            "messages": [
                {"$ref": f"#/channels/{way.name}/messages/{name}"}
                for name in _of(way, side, messages)
            ],
        }
        for action, side in (("receive", "client"), ("send", "server"))
    }

"""The sockets as an AsyncAPI 3.0 document, made of the very frames that the protocols read and
write."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hubbub import __version__
from hubbub.dialects.base import Dialect

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


@dataclass(frozen=True, slots=True)
class Address:
    """A path that sockets are opened on. `dialect` is None for the echo, which has no frames.
    `tokenless`: in closed mode, too, it can be opened without a token. `query`: the fields that it
    needs besides."""

    name: str
    path: str
    dialect: str | None
    description: str
    tokenless: bool = False
    query: Sequence[str] = ()


ADDRESSES = (
    Address(
        "native",
        "/ws/v1",
        "native",
        "Many channels on one socket. A WebSocket message holds one or more objects, separated by "
        "newlines. The token may come in the first frame.",
        tokenless=True,
    ),
    Address("room", "/ws/room/{room_id}", "rooms", "One room, which is entered by connecting."),
    Address("rooms", "/ws/auth", "rooms", "As many rooms as are joined."),
    Address(
        "public",
        "/ws",
        "rooms",
        "In open mode the same for a guest, who is in the lobby. In closed mode, without a token, "
        "only `ping` is answered.",
        tokenless=True,
    ),
    Address("echo", "/ws/echo", None, "Every message comes back unchanged.", tokenless=True),
    Address(
        "conversation",
        "/conversations/{conversation_id}/ws",
        "conversations",
        "One conversation of the user's.",
    ),
    Address(
        "relay_chat", "/ws/chat/{user_id}", "relay-chat", "Messages from one person to another."
    ),
    Address("relay_video", "/ws/video/{room_id}/{user_id}", "relay-video", "Calls in a room."),
    Address("conference", "/ws/{room_id}", "conference", "Meetings: each connection is a peer."),
    Address("signaling", "/ws/signaling/{room_id}", "signaling", "Calls between usernames."),
    Address(
        "peerjs",
        "/peerjs/peerjs",
        "peerjs",
        "What the `peerjs` client speaks; its `token` is one of ours or, in open mode, any word.",
        query=("id", "key"),
    ),
)

_PARAMETERS = {
    "room_id": "The room's key; where digits name an id, its id.",
    "conversation_id": "The conversation's id, or its key where that is not digits alone.",
    "user_id": "The user the socket is for: the external subject, else the username.",
}


def document(dialects: Mapping[str, Dialect]) -> dict[str, Any]:
    """The AsyncAPI document of these protocols. From the server's point of view, as the standard
    has it: it receives what clients send."""
    spoken = [address for address in ADDRESSES if address.dialect in (None, *dialects)]
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
    for address in spoken:
        operations |= _operations(address, messages)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Hubbub", "version": __version__, "description": DESCRIPTION},
        "servers": {"local": {"host": "127.0.0.1:8000", "protocol": "ws"}},
        "defaultContentType": "application/json",
        "channels": {address.name: _channel(address, messages) for address in spoken},
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas, "securitySchemes": _SECURITY},
    }


def _components(prefix: str, frames: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(
        frames, schema_hook=_anything, ref_template=f"#/components/schemas/{prefix}{{name}}"
    )
    # Most frames are private to their module, which is nothing to those who read this.
    text = msgspec.json.encode({prefix + name: schema for name, schema in components.items()})
    plain = re.sub(rf'(?<="title":")_|(?<={re.escape(prefix)})_', "", text.decode())
    named: dict[str, Any] = msgspec.json.decode(plain)
    return named


def _anything(kind: type) -> dict[str, Any]:
    """The schema of a field that is looked at by hand, or passed on as it came."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "Any JSON."}


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


def _of(address: Address, side: str, messages: Mapping[str, Any]) -> list[str]:
    prefixes = (f"{address.dialect}.{side}.",) if address.dialect else ("echo.any.",)
    return [name for name in messages if name.startswith(prefixes)]


def _channel(address: Address, messages: Mapping[str, Any]) -> dict[str, Any]:
    names = dict.fromkeys(_of(address, "client", messages) + _of(address, "server", messages))
    parameters = re.findall(r"\{(\w+)\}", address.path)
    query = ("token", "ticket", *address.query)
    return {
        "address": address.path,
        "description": address.description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "parameters": {name: {"description": _PARAMETERS[name]} for name in parameters},
        "bindings": {
            "ws": {
                "query": {
                    "type": "object",
                    "properties": {name: {"type": "string"} for name in query},
                    "required": list(address.query),
                }
            }
        },
    }


def _operations(address: Address, messages: Mapping[str, Any]) -> dict[str, Any]:
    ways = [] if address.tokenless else list(_SECURITY)
    told: dict[str, Any] = {"channel": {"$ref": f"#/channels/{address.name}"}}
    if ways:
        told["security"] = [{"$ref": f"#/components/securitySchemes/{way}"} for way in ways]
    return {
        f"{action}_{address.name}": {
            "action": action,
            **told,
            "messages": [
                {"$ref": f"#/channels/{address.name}/messages/{name}"}
                for name in _of(address, side, messages)
            ],
        }
        for action, side in (("receive", "client"), ("send", "server"))
    }

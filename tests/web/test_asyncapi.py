"""The description of the sockets: well formed, complete, up to date, and true."""

import inspect
import json
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from hubbub.main import dialects
from hubbub.web import asyncapi
from hubbub.web.doors import ECHO, WAYS, Way, route
from tests.support.app import app_client
from tests.web.asgi import ask
from tests.web.matrix import SOCKETS, Actor

ROOT = Path(__file__).parent.parent.parent
DIALECTS = dialects()
DOCUMENT = json.loads(json.dumps(asyncapi.document(DIALECTS)))
COMPONENTS = DOCUMENT["components"]
PAGES = {
    "native": ["native"],
    "rooms": ["rooms"],
    "conversations": ["conversations"],
    "relay": ["relay-chat", "relay-video"],
    "conference": ["conference"],
    "signaling": ["signaling"],
    "peerjs": ["peerjs"],
}

# What the standard allows in each object that the document has (AsyncAPI 3.0.0, "Schema").
FIELDS = {
    "": {"asyncapi", "info", "servers", "defaultContentType", "channels", "operations"}
    | {"components"},
    "channels": {"address", "description", "messages", "parameters", "bindings"},
    "operations": {"action", "channel", "messages", "security"},
    "messages": {"name", "summary", "payload"},
}
KEY = re.compile(r"[\w.-]+")
INLINE = re.compile(r"`(\{.*?\})`(?!`)")


def references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(ref)}:
            yield ref
        case dict():
            for item in value.values():
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)


def resolve(ref: str) -> Any:
    found: Any = DOCUMENT
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found


def validator(names: list[str]) -> Draft202012Validator:
    """Accepts what at least one of these schemas does."""
    choices = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return Draft202012Validator({"anyOf": choices, "components": COMPONENTS})


def messages(dialect: str, side: str) -> list[str]:
    return [name for name in COMPONENTS["messages"] if name.startswith(f"{dialect}.{side}.")]


def examples(page: str) -> Iterator[dict[str, Any]]:
    """Every whole JSON object that a page prints: in its blocks, and between backticks."""
    text = (ROOT / "docs" / "protocol" / f"{page}.md").read_text()
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    blocks += re.findall(r"^    (\{.*?)(?=\n\n|\Z)", text, re.DOTALL | re.MULTILINE)
    for block in [*blocks, *INLINE.findall(text)]:
        decoder, rest = json.JSONDecoder(), block.lstrip()
        while rest.startswith("{"):
            try:
                found, end = decoder.raw_decode(rest)
            except ValueError:
                break
            if "type" in found or "id" in found or "content" in found:
                yield found
            rest = rest[end:].lstrip()


def test_the_document_has_the_standards_form() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT) == FIELDS[""]
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for kind in ("channels", "operations"):
        for name, each in DOCUMENT[kind].items():
            assert set(each) <= FIELDS[kind], name
            assert KEY.fullmatch(name)
    for name, message in COMPONENTS["messages"].items():
        assert set(message) <= FIELDS["messages"], name
    for group in COMPONENTS.values():
        assert all(KEY.fullmatch(name) for name in group)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert found
    for ref in found:
        resolve(ref)


def test_every_schema_is_one() -> None:
    for schema in COMPONENTS["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_operations_have_stable_names_and_say_only_what_their_channel_does() -> None:
    for name, operation in DOCUMENT["operations"].items():
        action, _, channel = name.partition("_")
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert operation["action"] == action
        assert operation["channel"]["$ref"] == f"#/channels/{channel}"
        for ref in references(operation["messages"]):
            assert ref.startswith(f"#/channels/{channel}/messages/")
    assert set(DOCUMENT["operations"]) == {
        f"{action}_{channel}" for channel in DOCUMENT["channels"] for action in ("receive", "send")
    }


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_way_says_truly_who_may_come_without_a_token(way: Way) -> None:
    channel, operation = (
        DOCUMENT["channels"][way.name],
        DOCUMENT["operations"][f"send_{way.name}"],
    )
    assert channel["address"] == way.path
    assert list(channel["parameters"]) == re.findall(r"\{(\w+)\}", way.path)
    assert ("security" not in operation) == (Actor.NOBODY in SOCKETS[way.name].may)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_digits_are_said_to_be_an_id_where_they_are_one(way: Way) -> None:
    said = DOCUMENT["channels"][way.name]["parameters"].get("room_id")
    if said is not None:
        door = route(re.sub(r"\{\w+\}", "12", way.path).split("/")[1:])
        assert door is not None
        assert ("its id" in said["description"]) == (door.channel == 12)


def test_every_protocol_has_a_way_and_every_frame_a_message() -> None:
    assert {way.door.dialect for way in WAYS} == {ECHO, *DIALECTS}
    assert set(DOCUMENT["channels"]) == {way.name for way in WAYS}
    for dialect in DIALECTS.values():
        for side, frames in (("client", dialect.client_frames), ("server", dialect.server_frames)):
            assert len(messages(dialect.name, side)) == len(frames)


@pytest.mark.parametrize("name", DIALECTS)
def test_no_tagged_frame_of_a_protocols_modules_is_left_out(name: str) -> None:
    dialect = DIALECTS[name]
    frames = (*dialect.client_frames, *dialect.server_frames)
    tagged = {
        struct
        for frame in frames
        for _, struct in inspect.getmembers(sys.modules[frame.__module__], inspect.isclass)
        if issubclass(struct, msgspec.Struct) and struct.__struct_config__.tag is not None
    }
    everywhere = {f for d in DIALECTS.values() for f in (*d.client_frames, *d.server_frames)}
    assert tagged <= everywhere


@pytest.mark.parametrize("page", PAGES)
def test_the_frames_that_a_page_prints_are_those_described(page: str) -> None:
    names = [n for d in PAGES[page] for side in ("client", "server") for n in messages(d, side)]
    check, found = validator(names), list(examples(page))
    assert found
    for example in found:
        assert check.is_valid(example), example


@pytest.mark.parametrize(
    ("dialect", "side", "frame"),
    [
        ("rooms", "client", {"type": "message"}),
        ("rooms", "client", {"type": "message", "content": 1}),
        ("rooms", "client", {"type": "message", "content": "x", "room_id": {}}),
        ("rooms", "server", {"type": "error", "message": "x"}),
        ("native", "client", {"type": "send", "channel": -1, "content": "x"}),
        ("native", "server", {"id": 1, "result": {"seq": "1"}}),
        ("signaling", "client", {"type": "offer"}),
    ],
)
def test_what_is_no_frame_is_not_described(dialect: str, side: str, frame: object) -> None:
    names = messages(dialect, side)
    if dialect == "native" and side == "server":
        names.remove("native.server.NothingReply")  # allows everything, as unknown fields are
    assert not validator(names).is_valid(frame)


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_the_committed_documents_are_up_to_date(name: str) -> None:
    documents = runpy.run_path(str(ROOT / "scripts" / "contracts.py"))["documents"]()
    assert (ROOT / "docs" / name).read_text() == documents[name], "run `make contracts`"


async def test_it_is_served_to_everybody_in_every_mode() -> None:
    for mode in ("false", "loopback", "force"):
        async with app_client(open=mode) as anyone:
            for path in ("/asyncapi.json", "/asyncapi.json/"):
                assert (await anyone.get(path)).json() == DOCUMENT


async def test_its_server_is_where_it_was_asked_for() -> None:
    async with app_client() as anyone:

        async def server(app: ASGIApp, path: str, host: str, scheme: str = "http") -> Any:
            answer = await ask(app, "GET", path, [("host", host)], scheme=scheme)
            return answer.json["servers"]["local"]

        outer = Starlette(routes=[Mount("/sub", app=anyone.app)])
        told = {"host": "localhost:9000", "protocol": "ws"}
        assert await server(anyone.app, "/asyncapi.json", "localhost:9000") == told
        assert await server(outer, "/sub/asyncapi.json", "localhost:9000") == {
            **told,
            "pathname": "/sub",
        }
        assert await server(anyone.app, "/asyncapi.json", "a.example", "https") == {
            "host": "a.example",
            "protocol": "wss",
        }

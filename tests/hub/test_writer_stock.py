"""What uvicorn's own protocol promises, of it and of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State

from hubbub.hub.http import HubbubHttpProtocol
from hubbub.hub.server import HubbubWebSocketProtocol

from .wire import App, Place, Served, over_tcp, until

STOCK = {"ws": WebSocketsSansIOProtocol, "http": HttpToolsProtocol}
OURS = {"ws": HubbubWebSocketProtocol, "http": HubbubHttpProtocol}


def of_both(test: Any) -> Any:
    return pytest.mark.parametrize("protocols", [STOCK, OURS], ids=["stock", "ours"])(
        over_tcp(test)
    )


@asynccontextmanager
async def talk(
    place: Place,
    protocols: dict[str, Any],
    app: App,
    options: dict[str, Any] | None = None,
    **how: Any,
) -> AsyncIterator[tuple[ClientConnection, Served]]:
    """A client of the `websockets` library, connected to `app`."""
    async with place.serve(app, **protocols, **(options or {})) as served:
        url = f"ws://127.0.0.1:{served.port}/a%20path?query=1"
        async with connect(url, **how) as client:
            yield client, served


async def accept(receive: Any, send: Any, **more: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", **more})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await accept(receive, send)
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})


class Last:
    """Accepts, and keeps the last event, which is the disconnect."""

    def __init__(self) -> None:
        self.event: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        event: dict[str, Any] = {}
        while event.get("type") != "websocket.disconnect":
            event = await receive()
        self.event = event


@of_both
async def test_the_scope_is_what_asgi_says(place: Place, protocols: dict[str, Any]) -> None:
    scopes = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    more = {"subprotocols": ["one", "two"], "additional_headers": {"X-Test": "yes"}}
    async with talk(place, protocols, app, **more) as (client, served):
        (scope,) = scopes
        assert scope["path"] == "/a path"
        assert scope["raw_path"] == b"/a%20path"
        assert scope["query_string"] == b"query=1"
        assert scope["subprotocols"] == ["one", "two"]
        assert (b"x-test", b"yes") in scope["headers"]
        assert scope["client"] == client.local_address
        assert scope["server"] == ("127.0.0.1", served.port)
        assert scope["scheme"] == "ws"
        assert "websocket.http.response" in scope["extensions"]


@of_both
async def test_messages_arrive_whole_and_in_order(place: Place, protocols: dict[str, Any]) -> None:
    async with talk(place, protocols, echo) as (client, _):
        for message in ["text", b"bytes", "", b"", "é" * 1000, bytes(200_000)]:
            await client.send(message)
            assert await client.recv() == message
        await client.send(["frag", "ment", "ed"])
        assert await client.recv() == "fragmented"


@of_both
async def test_compressed_messages_arrive(place: Place, protocols: dict[str, Any]) -> None:
    options = {"ws_per_message_deflate": True}
    async with talk(place, protocols, echo, options) as (client, _):
        assert "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]
        for message in ["again and again" * 100] * 3:
            await client.send(message)
            assert await client.recv() == message


@of_both
async def test_the_application_chooses_subprotocol_and_headers(
    place: Place, protocols: dict[str, Any]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send, subprotocol="two", headers=[(b"x-answer", b"42")])
        await receive()

    async with talk(place, protocols, app, subprotocols=["one", "two"]) as (client, _):
        assert client.subprotocol == "two"
        assert client.response.headers["x-answer"] == "42"


@of_both
async def test_the_clients_close_is_echoed_and_told(
    place: Place, protocols: dict[str, Any]
) -> None:
    last = Last()
    async with talk(place, protocols, last) as (client, _):
        await client.close(4999, "enough")
        assert (client.close_code, client.close_reason) == (4999, "enough")
        await until(lambda: last.event)
    assert last.event == {"type": "websocket.disconnect", "code": 4999, "reason": "enough"}


@of_both
async def test_an_abrupt_end_is_told_and_ours_says_which(
    place: Place, protocols: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    last = Last()
    async with talk(place, protocols, last) as (client, _):
        client.transport.abort()
        await until(lambda: last.event)
    ours = "ours" in request.node.callspec.id
    assert last.event["code"] == (1006 if ours else 1005)


@of_both
@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"code": 4001, "reason": "bye"}, (4001, "bye")),
        ({"code": 3000, "reason": None}, (3000, "")),
        ({}, (1000, "")),
    ],
    ids=["code and reason", "no reason", "nothing"],
)
async def test_the_applications_close_reaches_the_client(
    place: Place, protocols: dict[str, Any], message: dict[str, Any], expected: tuple[int, str]
) -> None:
    told = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close", **message})
        told.append(await receive())

    async with talk(place, protocols, app) as (client, _):
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert (client.close_code, client.close_reason) == expected
        await until(lambda: told)
    assert told[0]["type"] == "websocket.disconnect"
    assert told[0]["code"] == expected[0]


@of_both
async def test_sending_after_closing_is_a_mistake_of_the_application(
    place: Place, protocols: dict[str, Any]
) -> None:
    raised = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close"})
        for message in [{"type": "websocket.send", "text": "?"}, {"type": "websocket.close"}]:
            with pytest.raises(RuntimeError) as caught:
                await send(message)
            raised.append(caught.value)

    async with talk(place, protocols, app):
        await until(lambda: len(raised) == 2)


@of_both
async def test_sending_to_a_client_that_left_raises_an_oserror(
    place: Place, protocols: dict[str, Any]
) -> None:
    raised = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await receive()
        for message in [{"type": "websocket.send", "text": "?"}, {"type": "websocket.close"}]:
            with pytest.raises(OSError) as caught:  # noqa: PT011 (the type is the contract)
                await send(message)
            raised.append(caught.value)

    async with talk(place, protocols, app) as (client, served):
        client.transport.abort()
        await until(lambda: len(raised) == 2)
        await until(lambda: not served.state.tasks)


@of_both
async def test_closing_before_accepting_is_a_403(place: Place, protocols: dict[str, Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close"})

    with pytest.raises(InvalidStatus) as refused:
        async with talk(place, protocols, app):
            pass
    assert refused.value.response.status_code == 403


@of_both
async def test_a_denial_has_status_headers_and_body(
    place: Place, protocols: dict[str, Any]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        start = {"status": 429, "headers": [(b"retry-after", b"7")]}
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": b"too ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"many"})
        assert (await receive())["type"] == "websocket.disconnect"

    with pytest.raises(InvalidStatus) as refused:
        async with talk(place, protocols, app):
            pass
    response = refused.value.response
    assert (response.status_code, response.body) == (429, b"too many")
    assert response.headers["retry-after"] == "7"


@of_both
@pytest.mark.parametrize("how", ["returns", "raises"])
async def test_an_application_that_ends_before_accepting_is_a_500(
    place: Place, protocols: dict[str, Any], how: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if how == "raises":
            raise ValueError("a bug")

    async with place.serve(app, **protocols) as served:
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{served.port}/")
        assert refused.value.response.status_code == 500
        assert served.trouble()


@of_both
async def test_pings_are_answered(place: Place, protocols: dict[str, Any]) -> None:
    async with talk(place, protocols, echo) as (client, _):
        async with asyncio.timeout(10):
            await (await client.ping(b"anybody?"))


@of_both
async def test_the_keepalive_goes_on_while_the_client_answers(
    place: Place, protocols: dict[str, Any]
) -> None:
    options = {"ws_ping_interval": 0.01, "ws_ping_timeout": 5.0}
    async with talk(place, protocols, echo, options) as (client, served):
        (protocol,) = served.state.connections
        pings = set()
        async with asyncio.timeout(10):
            while len(pings) < 4:
                pings.add(protocol.pending_ping_payload)
                await asyncio.sleep(0)
        assert client.state is State.OPEN


@of_both
async def test_a_message_over_the_limit_is_a_1009(place: Place, protocols: dict[str, Any]) -> None:
    async with talk(place, protocols, echo, {"ws_max_size": 100}) as (client, _):
        await client.send("x" * 100)
        assert await client.recv() == "x" * 100
        await client.send("x" * 101)
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1009


@of_both
async def test_a_shutdown_is_a_1012(place: Place, protocols: dict[str, Any]) -> None:
    last = Last()
    async with talk(place, protocols, last) as (client, served):
        (protocol,) = served.state.connections
        protocol.shutdown()
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1012
        await until(lambda: last.event)
    assert last.event["code"] == 1012


@of_both
async def test_a_message_of_an_unknown_type_is_a_mistake_of_the_application(
    place: Place, protocols: dict[str, Any]
) -> None:
    raised = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for step in (lambda: receive(), lambda: send({"type": "websocket.accept"})):
            with pytest.raises(RuntimeError) as caught:
                await send({"type": "websocket.nonsense"})
            raised.append(caught.value)
            await step()
        with pytest.raises(RuntimeError) as caught:
            await send({"type": "websocket.nonsense"})
        raised.append(caught.value)
        await receive()

    async with talk(place, protocols, app):
        await until(lambda: len(raised) == 3)

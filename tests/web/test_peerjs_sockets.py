"""The sockets of PeerJS on a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection

from tests.support.server import Account, Server, running_server
from tests.support.sockets import closed, hear, opened, person, say

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

INCOMPLETE = "No id, token, or key supplied to websocket server"
OFFER = {"sdp": {"type": "offer", "sdp": "v=0"}, "type": "data", "connectionId": "dc_1"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    """A closed server."""
    async with running_server() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dev() -> AsyncIterator[Server]:
    """A server in development mode."""
    async with running_server(dev=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forced() -> AsyncIterator[Server]:
    """A server that is open to strangers."""
    async with running_server(env={"HUBBUB_OPEN": "force"}) as running:
        yield running


def path(id: str, token: str, **more: str) -> str:
    """What the client asks for; fields that are empty are left out."""
    fields = {"key": "peerjs", "id": id, "token": token, "version": "1.5.5", **more}
    query = urlencode({k: v for k, v in fields.items() if v}, quote_via=quote)
    return f"/peerjs/peerjs?{query}"


def peer(
    server: Server, id: str, token: str = "k3x9q", **options: Any
) -> AbstractAsyncContextManager[ClientConnection]:
    """A socket that has asked for an id."""
    return opened(server, path(id, token), **options)


async def is_open(socket: ClientConnection) -> None:
    assert await hear(socket) == {"type": "OPEN"}


async def has_no_socket(server: Server, account: Account) -> None:
    """Waits until the server has noticed that somebody's sockets are gone: until then, what is said
    to them is lost like they are."""
    async with asyncio.timeout(10):
        while (await server.http.get("/api/connections", headers=account.headers)).json():
            await asyncio.sleep(0.01)


async def turned_away(server: Server, target: str) -> tuple[str, str, int]:
    """The type and the words of the one frame, and the code of the close behind it."""
    async with opened(server, target) as socket:
        frame = await hear(socket)
        assert set(frame) == {"type", "payload"}
        return frame["type"], frame["payload"]["msg"], await closed(socket)


async def test_frames_are_passed_on_with_their_four_keys_and_the_true_sender(dev: Server) -> None:
    async with peer(dev, "ann one", "a1") as ann, peer(dev, "ben", "b1") as ben:
        await is_open(ann)
        await is_open(ben)
        await say(ann, type="HEARTBEAT")
        await say(ann, type="OFFER", src="ben", dst="ben", payload=OFFER, room="x")
        assert await hear(ben) == {
            "type": "OFFER", "src": "ann one", "dst": "ben", "payload": OFFER,
        }  # fmt: skip
        await say(ben, type="LEAVE", dst="ann one")
        assert await hear(ann) == {"type": "LEAVE", "src": "ben", "dst": "ann one"}


async def test_what_cannot_be_read_changes_nothing(dev: Server) -> None:
    async with peer(dev, "cat", "c1") as cat:
        await is_open(cat)
        for text in ("", "{", "[]", '{"type":"OPEN"}', '{"type":"OFFER"}', '{"type":{}}'):
            await cat.send(text)
        await say(cat, type="CANDIDATE", dst="cat", payload={"n": 1})
        assert (await hear(cat))["payload"] == {"n": 1}


async def test_a_binary_frame_and_one_past_a_limit_are_errors_on_an_open_socket(
    dev: Server,
) -> None:
    async with peer(dev, "dan", "d1") as dan:
        await is_open(dan)
        await dan.send(b"\x00")
        assert (await hear(dan))["type"] == "ERROR"
        await say(dan, type="OFFER", dst="dan", payload={"sdp": {"sdp": "x" * 65_537}})
        assert await hear(dan) == {
            "type": "ERROR", "payload": {"msg": "sdp is larger than 65536 bytes"},
        }  # fmt: skip
        await say(dan, type="LEAVE", dst="dan", payload=None)
        assert await hear(dan) == {"type": "LEAVE", "src": "dan", "dst": "dan", "payload": None}


async def test_a_message_past_256_kib_closes_the_socket(dev: Server) -> None:
    async with peer(dev, "eve", "e1") as eve:
        await is_open(eve)
        await say(eve, type="OFFER", dst="eve", payload="x" * 262_145)
        assert await closed(eve) == 1009


async def test_an_id_is_taken_for_whoever_brings_another_token(dev: Server) -> None:
    async with peer(dev, "fay", "f1") as fay:
        await is_open(fay)
        assert await turned_away(dev, path("fay", "f2")) == ("ID-TAKEN", "ID is taken", 4003)
        alice = await person(dev, "alice")
        assert (await turned_away(dev, path("fay", alice.token)))[0] == "ID-TAKEN"
        await say(fay, type="OFFER", dst="fay", payload=1)
        assert (await hear(fay))["payload"] == 1


async def test_the_same_token_takes_the_id_to_a_new_socket(dev: Server) -> None:
    async with peer(dev, "gil", "g1") as old:
        await is_open(old)
        async with peer(dev, "gil", "g1") as new:
            await is_open(new)
            assert await closed(old) == 1000
            await say(new, type="OFFER", dst="gil", payload=1)
            assert (await hear(new))["payload"] == 1


async def test_a_closed_socket_frees_its_id(dev: Server) -> None:
    async with peer(dev, "hal", "h1") as hal:
        await is_open(hal)
        await say(hal, type="LEAVE")
        assert await closed(hal) == 1000
    async with peer(dev, "hal", "h2") as hal:
        await is_open(hal)


async def test_what_was_said_to_an_absent_id_comes_behind_open_in_order(dev: Server) -> None:
    async with peer(dev, "ida", "i1") as ida:
        await is_open(ida)
        for number in range(3):
            await say(ida, type="CANDIDATE", dst="joe", payload=number)
        await say(ida, type="CANDIDATE", dst="ida", payload="done")
        await hear(ida)
        async with peer(dev, "joe", "j1") as joe:
            await is_open(joe)
            assert [(await hear(joe))["payload"] for _ in range(3)] == [0, 1, 2]


async def test_whoever_calls_nobody_is_told_once(dev: Server) -> None:
    async with peer(dev, "kay", "k1") as kay:
        await is_open(kay)
        await say(kay, type="OFFER", dst="nobody", payload=OFFER)
        await say(kay, type="CANDIDATE", dst="nobody", payload={})
        assert await hear(kay) == {"type": "EXPIRE", "src": "nobody", "dst": "kay"}
        await say(kay, type="LEAVE", dst="kay")
        assert (await hear(kay))["type"] == "LEAVE"


async def test_without_id_token_or_key_it_says_so_in_both_modes(
    dev: Server, server: Server
) -> None:
    for running in (dev, server):
        for target in (path("", "t"), path("x", ""), path("x", "t", key="")):
            if running is server and "token" in target:
                target = target.replace("token=t", f"token={(await person(server, 'bo')).token}")
            assert await turned_away(running, target) == ("ERROR", INCOMPLETE, 4001)
        assert (await turned_away(running, "/peerjs/peerjs/"))[1] == INCOMPLETE


async def test_a_strange_key_and_a_strange_id_are_refused(dev: Server) -> None:
    assert await turned_away(dev, path("x", "t", key="mine")) == (
        "ERROR", "Invalid key provided", 4003,
    )  # fmt: skip
    assert await turned_away(dev, path("a/b", "t")) == ("ERROR", "Invalid ID provided", 4003)


async def test_in_closed_mode_the_token_is_one_of_ours(server: Server) -> None:
    kind, _, code = await turned_away(server, path("lee", "k3x9q"))
    assert (kind, code) == ("ERROR", 4001)
    alice = await person(server, "alice")
    async with peer(server, "lee", alice.token) as lee:
        await is_open(lee)


async def test_an_id_belongs_to_the_account_whatever_its_token(server: Server) -> None:
    alice, bob = await person(server, "alice"), await person(server, "bob")
    again = await server.account("alice")
    assert again.token != alice.token
    async with peer(server, "mia", alice.token) as old:
        await is_open(old)
        assert (await turned_away(server, path("mia", bob.token)))[0] == "ID-TAKEN"
        async with peer(server, "mia", again.token) as new:
            await is_open(new)
            assert await closed(old) == 1000


async def test_in_open_mode_a_token_of_ours_is_its_account(dev: Server) -> None:
    alice = await person(dev, "alice")
    again = await dev.account("alice")
    async with peer(dev, "ned", alice.token) as old:
        await is_open(old)
        async with peer(dev, "ned", again.token) as new:
            await is_open(new)
            assert await closed(old) == 1000


async def test_a_ticket_will_do_without_a_token(server: Server) -> None:
    alice = await person(server, "alice")
    answer = await server.http.post("/api/v1/tickets", headers=alice.headers)
    async with opened(server, path("ola", "", ticket=answer.json()["ticket"])) as socket:
        await is_open(socket)
        async with peer(server, "ola", alice.token) as same:
            await is_open(same)


async def test_logging_out_closes_the_socket_and_frees_the_id(server: Server) -> None:
    carol = await server.account("carol")
    async with peer(server, "pia", carol.token) as pia:
        await is_open(pia)
        await server.http.post("/api/v1/auth/logout", headers=carol.headers)
        assert await closed(pia) == 4001
    alice = await person(server, "alice")
    async with peer(server, "pia", alice.token) as pia:
        await is_open(pia)


async def test_an_id_whose_socket_was_cut_and_what_is_said_to_it_wait_for_its_owner(
    server: Server,
) -> None:
    alice, bob = await person(server, "alice"), await person(server, "bob")
    async with peer(server, "caller", bob.token) as caller:
        await is_open(caller)
        async with peer(server, "phone", alice.token) as phone:
            await is_open(phone)
            phone.transport.abort()
            await has_no_socket(server, alice)
        await say(caller, type="OFFER", dst="phone", payload=OFFER)
        assert (await turned_away(server, path("phone", bob.token)))[0] == "ID-TAKEN"
        async with peer(server, "phone", alice.token) as phone:
            await is_open(phone)
            assert (await hear(phone))["payload"] == OFFER


async def test_an_accounts_name_is_claimed_by_its_owner_alone_where_strangers_come(
    forced: Server, server: Server
) -> None:
    for running in (forced, server):
        alice, bob = await person(running, "alice"), await person(running, "bob")
        for id in ("bob", "BOB"):
            assert await turned_away(running, path(id, alice.token)) == (
                "ID-TAKEN", "ID is taken", 4003,
            )  # fmt: skip
        async with peer(running, "bob", bob.token) as socket:
            await is_open(socket)
    assert (await turned_away(forced, path("bob", "k3x9q")))[0] == "ID-TAKEN"
    async with peer(forced, "nobodys", "k3x9q") as socket:
        await is_open(socket)


async def test_an_id_is_taken_from_a_stranger_when_somebody_registers_the_name(
    forced: Server,
) -> None:
    async with peer(forced, "Newcomer", "k3x9q") as socket:
        await is_open(socket)
        newcomer = await person(forced, "newcomer")
        assert await closed(socket) == 1000
    async with peer(forced, "newcomer", newcomer.token) as socket:
        await is_open(socket)


async def test_in_development_mode_everybody_is_believed(dev: Server) -> None:
    async with peer(dev, "testuser", "t1") as socket:
        await is_open(socket)


async def test_no_word_of_a_stranger_is_logged() -> None:
    word = "qz7wordofmyown"
    async with running_server(dev=True, env={"HUBBUB_LOG_LEVEL": "debug"}) as talkative:
        async with peer(talkative, "quin", word) as quin:
            await is_open(quin)
            assert (await turned_away(talkative, path("quin", word + "2")))[0] == "ID-TAKEN"
        await talkative.stop()
        assert "/peerjs/peerjs" in talkative.printed()
        assert word not in talkative.printed()

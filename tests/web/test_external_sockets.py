"""Document 000's paths and people of an external issuer: who may come by which."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.issuer import SECRET, simple_jwt, token
from tests.support.server import PASSWORD, Server, running_server
from tests.support.sockets import arrived, closed, hear, opened, refused, say

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

DJANGO = {"HUBBUB_JWT_SECRET": SECRET, "HUBBUB_JWT_SUBJECT_CLAIM": "user_id"}

VIDEO = "/ws/video/a-room/"
PATHS = ["/ws/chat/", VIDEO]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shut() -> AsyncIterator[Server]:
    """A closed server that trusts a backend with SimpleJWT."""
    async with running_server(env=DJANGO) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def forced() -> AsyncIterator[Server]:
    """One that lets strangers in as well."""
    async with running_server(env={**DJANGO, "HUBBUB_OPEN": "force"}) as running:
        yield running


def django(user_id: object, **claims: object) -> str:
    """A query with a token as the backend makes it now."""
    claims = {**simple_jwt(0, int(time.time()), **claims), "user_id": user_id}
    return f"?token={token(claims)}"


@pytest.mark.parametrize(
    ("path", "subject"),
    [("/ws/chat/", 101), ("/ws/chat/", "u-1"), (VIDEO, 102), (VIDEO, "103"), (VIDEO, "auth0|7")],
)
async def test_somebody_never_seen_before_comes_in_at_once(
    shut: Server, path: str, subject: object
) -> None:
    made = django(subject, username="somebody")
    for _ in range(2):
        async with opened(shut, f"{path}{subject}/{made}") as socket:
            await arrived(socket)


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_comes_by_somebody_elses_path_at_the_first_sight_or_later(
    shut: Server, path: str
) -> None:
    bob = await shut.account(f"bob{len(path)}")
    one, other = f"one{len(path)}", f"other{len(path)}"
    for _ in range(2):
        for name in (other, bob.name, one.upper(), "7", "nobody"):
            assert await refused(shut, f"{path}{name}/{django(one, username='zoe')}") == 4003
        assert await refused(shut, f"{path}{one}/?token={bob.token}") == 4003
        async with opened(shut, f"{path}{other}{django(other)}") as socket:
            await arrived(socket)


async def test_an_external_person_comes_and_is_written_to_by_the_subject_alone(
    shut: Server,
) -> None:
    bob = await shut.account("bert")
    async with (
        opened(shut, f"/ws/chat/31/{django(31, username='dora')}") as socket,
        opened(shut, f"/ws/chat/bert/?token={bob.token}") as sender,
    ):
        await arrived(socket)
        await say(sender, to_user_id="dora", content="by the username")
        assert (await hear(sender))["type"] == "error"
        await say(sender, to_user_id=31, content="by the subject")
        assert (await hear(socket))["content"] == "by the subject"
    for path in PATHS:
        assert await refused(shut, f"{path}dora/{django(31)}") == 4003


async def test_a_subject_cannot_be_registered_as_a_username(shut: Server) -> None:
    async with opened(shut, f"/ws/chat/frank/{django('frank', username='boss')}") as socket:
        await arrived(socket)
    body = {"username": "frank", "password": PASSWORD}
    answer = await shut.http.post("/api/users/", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "username_taken")


async def test_an_account_called_like_a_new_subject_speaks_under_it_no_more(shut: Server) -> None:
    gina, other = await shut.account("gina"), await shut.account("otto")
    theirs = f"/ws/chat/gina/?token={gina.token}"
    async with opened(shut, theirs) as before:
        await arrived(before)
        async with opened(shut, f"/ws/chat/gina/{django('gina')}") as subject:
            await arrived(subject)
            assert await closed(before) == 4001
            assert await refused(shut, theirs) == 4003
            async with (
                opened(shut, f"/ws/chat/hubbub:gina/?token={gina.token}") as after,
                opened(shut, f"/ws/chat/otto/?token={other.token}") as listening,
            ):
                await arrived(listening)
                await say(after, to_user_id="otto", content="me")
                assert (await hear(listening))["from_user_id"] == "hubbub:gina"
                await say(listening, to_user_id="hubbub:gina", content="you")
                heard = await hear(after)
                assert (heard["to_user_id"], heard["content"]) == ("hubbub:gina", "you")
                await say(listening, to_user_id="gina", content="the subject")
                assert (await hear(subject))["content"] == "the subject"


async def test_guests_go_when_their_name_is_somebodys(forced: Server) -> None:
    paths = ["/ws/chat/hugo", f"{VIDEO}hugo", "/ws/chat/HUGO", "/ws/chat/hugos"]
    async with (
        opened(forced, paths[0]) as chat,
        opened(forced, paths[1]) as video,
        opened(forced, paths[2]) as loud,
        opened(forced, paths[3]) as other,
    ):
        for socket in (chat, video, loud, other):
            await arrived(socket)
        await forced.account("hugo")
        assert [await closed(socket) for socket in (chat, video, loud)] == [4001] * 3
        await arrived(other)
    assert await refused(forced, "/ws/chat/hugo") == 4001


async def test_guests_go_when_their_name_is_a_subject_or_the_name_of_somebody_who_has_one(
    forced: Server,
) -> None:
    async with (
        opened(forced, "/ws/chat/Ida7") as guest,
        opened(forced, "/ws/chat/JANE") as namesake,
        opened(forced, "/ws/chat/ida7") as other,
    ):
        for socket in (guest, namesake, other):
            await arrived(socket)
        async with opened(forced, f"/ws/chat/Ida7{django('Ida7', username='jane')}") as socket:
            await arrived(socket)
        assert [await closed(socket) for socket in (guest, namesake)] == [4001] * 2
        await arrived(other)  # subjects are compared to the letter
    assert await refused(forced, "/ws/chat/Ida7") == 4001
    assert await refused(forced, "/ws/chat/jane") == 4003


@pytest.mark.parametrize("path", PATHS)
async def test_no_guest_looks_like_somebody_else(forced: Server, path: str) -> None:
    for name in ("carol%20", "%20carol", "%C2%A8", "guest-1", "GUEST-x", "%EF%BD%87uest-1"):
        assert await refused(forced, path + name) == 4003
    # An issuer may call people so.
    number = len(path)
    for name, subject in (
        (f"guest-{number}", f"guest-{number}"),
        (f"{number}%20", f"{number} "),
    ):
        async with opened(forced, f"{path}{name}{django(subject)}") as socket:
            await arrived(socket)

"""The server in its three modes, and everybody who could ask it for something."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from hubbub.auth.tokens import Tokens
from hubbub.core.ids import UserId
from tests.support.app import SECRET, AppClient, app_client
from tests.web.matrix import ACCOUNTS, GUESTS, Actor

NAMES = {
    Actor.STRANGER: "stranger",
    Actor.PASSER: "passer",
    Actor.REMOVED: "removed",
    Actor.MEMBER: "member",
    Actor.MODERATOR: "moderator",
    Actor.OWNER: "owner",
    Actor.DISABLED: "disabled",
}
WITNESS = "witness"
"""Somebody who is in every channel, and sees what happens there."""


@dataclass(frozen=True)
class Place:
    """A channel in which everybody is what they are."""

    id: int
    key: str


@dataclass
class House:
    """A server and its people. `actors` are those who ask it, as clients of its REST."""

    anyone: AppClient
    people: Mapping[str, AppClient]
    actors: dict[Actor, AppClient]
    _places: dict[bool, Place] = field(default_factory=dict)

    async def place(self, *, private: bool) -> Place:
        """A channel of the owner's, the same again until it is spoilt."""
        if private not in self._places:
            self._places[private] = await self._make(private=private)
        return self._places[private]

    async def meeting(self) -> Place:
        """A new meeting. It ends with the last socket that leaves it."""
        owner = self.people["owner"]
        key = (await owner.post("/create-room")).json()["room_id"]
        channel = (await owner.get(f"/api/v1/channels/{key}")).json()["id"]
        return Place(channel, key)

    def spoil(self, place: Place) -> None:
        """Something in a channel is not as it was."""
        self._places = {private: each for private, each in self._places.items() if each != place}

    async def _make(self, *, private: bool) -> Place:
        owner = self.people["owner"]
        names = (WITNESS, "removed", "member", "moderator")
        channel = await owner.channel(*names, private=private)
        members = f"/api/v1/channels/{channel}/members"
        role = await owner.put(f"{members}/moderator", json={"role": "moderator"})
        gone = await owner.delete(f"{members}/removed")
        assert (role.status_code, gone.status_code) == (200, 204)
        key = (await owner.get(f"/api/v1/channels/{channel}")).json()["key"]
        return Place(channel, key)

    async def contents(self, place: Place) -> object:
        """What a refused request may not have changed."""
        witness = self.people[WITNESS]
        path = f"/api/v1/channels/{place.id}"
        return [(await witness.get(path + part)).json() for part in ("", "/members", "/events")]


@asynccontextmanager
async def houses() -> AsyncIterator[list[House]]:
    """A closed server, one open to this machine, one open to strangers; together they have every
    actor once."""
    options = {
        "smtp_server": "127.0.0.1", "smtp_port": 9, "message_rate": 0, "frame_rate": 0,
        "login_failures": 0, "sockets_per_address": 0, "sockets_per_user": 0, "meeting_rate": 0,
        "meetings_per_user": 0, "admin": "root",
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        made = []
        for mode, tokenless in (
            ("false", Actor.NOBODY), ("loopback", Actor.LOCAL), ("force", Actor.GUEST)
        ):  # fmt: skip
            anyone = await stack.enter_async_context(app_client(open=mode, **options))
            names = [WITNESS, *NAMES.values()] if mode == "false" else [WITNESS, "owner"]
            names += [name for name in NAMES.values() if name not in names]
            people = {name: await anyone.register(name) for name in names}
            house = House(anyone, people, {tokenless: anyone})
            if mode == "false":
                await _add_accounts(house)
            made.append(house)
        yield made


async def _add_accounts(house: House) -> None:
    root = await house.anyone.log_in("root")
    house.actors[Actor.ADMIN] = root
    for actor, name in NAMES.items():
        house.actors[actor] = house.people[name]
    disabled, member = house.people["disabled"], house.people["member"]
    house.actors[Actor.EXPIRED] = expired = AppClient(house.anyone.app, _expired(member))
    expired.name = member.name
    # The token is good, the account is not.
    answer = await root.patch(f"/api/v1/admin/users/{disabled.id}", json={"disabled": True})
    assert answer.status_code == 200
    assert {*ACCOUNTS, Actor.NOBODY, Actor.EXPIRED, Actor.DISABLED} == set(house.actors)
    assert not GUESTS & set(house.actors)


def _expired(whose: AppClient) -> str:
    return Tokens(SECRET, "HS256", 30).mint(UserId(whose.id), "a session", 1_000_000_000.0)

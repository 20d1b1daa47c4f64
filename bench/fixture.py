"""A data folder with people in rooms, made without a server.

Creating people over REST would hash a password for each; here nobody has one. Everything else is
as the server would have left it: accounts, one login each, public rooms, memberships.
"""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from hubbub.auth.tokens import Tokens
from hubbub.core.channels import Kind, Role
from hubbub.core.ids import UserId
from hubbub.storage.migrate import migrate
from hubbub.storage.sqlite import writing_engine
from hubbub.storage.tables import channels, members, sessions, users

TOKEN_MINUTES = 600
DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Fixture:
    """`tokens[i]` are the access tokens of the members of the room whose channel id is
    `channels[i]`. The server must run with `secret` as its `SECRET_KEY`."""

    tokens: tuple[tuple[str, ...], ...]
    channels: tuple[int, ...]
    secret: str


def prepare(data_dir: Path, rooms: int, members_per_room: int) -> Fixture:
    """Make `data_dir/hubbub.db` with `rooms` public rooms of `members_per_room` people each,
    nobody in two rooms. The folder must not hold a database yet."""
    data_dir.mkdir(parents=True, exist_ok=True)
    people = [
        (room * members_per_room + member + 1, room + 1)
        for room in range(rooms)
        for member in range(members_per_room)
    ]
    _store(data_dir / "hubbub.db", rooms, people)
    secret = secrets.token_urlsafe(32)
    tokens = Tokens(secret, "HS256", TOKEN_MINUTES)
    now = time.time()
    minted = [tokens.mint(UserId(user), f"bench-{user}", now) for user, _ in people]
    return Fixture(
        tuple(
            tuple(minted[room * members_per_room : (room + 1) * members_per_room])
            for room in range(rooms)
        ),
        tuple(range(1, rooms + 1)),
        secret,
    )


def _store(path: Path, rooms: int, people: list[tuple[int, int]]) -> None:
    """Writes the rows; `people` are pairs of a user's and a channel's id."""
    now = int(time.time() * 1000)
    engine = writing_engine(path)
    migrate(engine)
    accounts = [
        {"id": user, "username": f"user-{user}", "folded": f"user-{user}", "created_at": now}
        for user, _ in people
    ]
    logins = [
        {"id": f"bench-{user}", "user_id": user, "created_at": now, "expires_at": now + 30 * DAY}
        for user, _ in people
    ]
    places = [
        {
            "id": room,
            "key": f"bench-{room}",
            "kind": Kind.ROOM,
            "name": f"Room {room}",
            "private": False,
            "created_at": now,
            "epoch": "bench",
        }
        for room in range(1, rooms + 1)
    ]
    memberships = [
        {"channel_id": room, "user_id": user, "role": Role.MEMBER, "joined_at": now}
        for user, room in people
    ]
    with engine.begin() as connection:
        connection.execute(insert(users), accounts)
        connection.execute(insert(sessions), logins)
        connection.execute(insert(channels), places)
        connection.execute(insert(members), memberships)
    engine.dispose()

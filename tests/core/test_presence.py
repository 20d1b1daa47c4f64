"""One arrival and one departure per person and channel, however many sockets they have."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.events import Departure, UserCame, UserWent
from hubbub.core.ids import ChannelId, UserId
from hubbub.core.presence import Roster
from tests.support.samples import ALICE, BOB, person

HERE, THERE = ChannelId(1), ChannelId(2)
PEOPLE = {who.id: person(who) for who in (ALICE, BOB)}

steps = st.lists(
    st.tuples(
        st.sampled_from(["come", *Departure]),
        st.sampled_from([HERE, THERE]),
        st.sampled_from(sorted(PEOPLE)),
        st.sampled_from(["phone", "laptop"]),
    ),
    max_size=60,
)


@settings(deadline=None, derandomize=True)
@given(steps)
def test_the_first_socket_is_an_arrival_and_the_last_one_a_departure(
    steps: list[tuple[str, ChannelId, UserId, str]],
) -> None:
    roster = Roster()
    sockets: set[tuple[ChannelId, UserId, str]] = set()
    arrived: dict[ChannelId, list[UserId]] = {HERE: [], THERE: []}
    for what, channel, user, socket in steps:
        others = any(s[:2] == (channel, user) and s[2] != socket for s in sockets)
        there = (channel, user, socket) in sockets
        if what == "come":
            came = roster.come(channel, PEOPLE[user], socket)
            first = not others and not there
            assert came == (UserCame(channel, PEOPLE[user]) if first else None)
            sockets.add((channel, user, socket))
            arrived[channel] += [user] if first else []
        else:
            why = Departure(what)
            went = roster.go(channel, user, socket, why)
            last = there and not others
            assert went == (UserWent(channel, PEOPLE[user], why) if last else None)
            sockets.discard((channel, user, socket))
            arrived[channel] = [u for u in arrived[channel] if not (last and u == user)]
        for place in (HERE, THERE):
            assert [somebody.id for somebody in roster.present(place)] == arrived[place]


def test_the_reason_told_is_that_of_the_last_socket() -> None:
    roster, channel = Roster(), ChannelId(1)
    for socket in ("phone", "laptop"):
        roster.come(channel, person(ALICE), socket)
    assert roster.go(channel, ALICE.id, "phone", Departure.LEFT) is None
    went = roster.go(channel, ALICE.id, "laptop", Departure.DISCONNECTED)
    assert went == UserWent(channel, person(ALICE), Departure.DISCONNECTED)


def test_an_empty_channel_leaves_nothing_behind() -> None:
    roster, channel = Roster(), ChannelId(1)
    roster.come(channel, person(ALICE), "phone")
    roster.go(channel, ALICE.id, "phone", Departure.LEFT)
    assert list(roster.present(channel)) == []
    assert roster._present == {}

"""Every change of a channel, asked for by everybody, everywhere; and who owns it afterwards."""

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.core.channels import Channel, Kind, Membership, Role
from hubbub.core.commands import (
    AddMember,
    ChannelChange,
    EditChannel,
    JoinChannel,
    LeaveChannel,
    RemoveMember,
    SetRole,
)
from hubbub.core.decide import ChannelState, decide
from hubbub.core.errors import DomainError
from hubbub.core.events import ChannelChanged, Durable, MemberChanged, MemberJoined, MemberLeft
from hubbub.core.ids import ChannelId, Person, UserId, Who
from hubbub.core.messages import MAX_DESCRIPTION, MAX_NAME
from tests.support.samples import ALICE, BOB, CAROL, DAVE, GUEST, channel, membership, person

NOW = 42
ID = ChannelId(1)
ME, HIM = person(ALICE), person(BOB)
MEMBER, MODERATOR, OWNER = Role.MEMBER, Role.MODERATOR, Role.OWNER

PLACES = {
    "public room": channel(),
    "private room": channel(private=True),
    "guests room": channel(guests=True),
    "conversation": channel(kind=Kind.CONVERSATION),
    "direct": channel(kind=Kind.DIRECT),
}

# `he` is Bob: a stranger when he is to be added, a plain member when something is done to him.
COMMANDS: dict[str, ChannelChange] = {
    "join": JoinChannel(1),
    "leave": LeaveChannel(1),
    "add": AddMember(1, BOB.id),
    "remove": RemoveMember(1, BOB.id),
    "promote": SetRole(1, BOB.id, MODERATOR),
    "edit": EditChannel(1, name="Lounge"),
}

OUTCOMES: dict[str, list[Durable]] = {
    "-": [],
    "I join": [MemberJoined(ID, ME, MEMBER, None, NOW)],
    "I leave": [MemberLeft(ID, ME, None, NOW)],
    "he joins": [MemberJoined(ID, HIM, MEMBER, ME, NOW)],
    "he leaves": [MemberLeft(ID, HIM, ME, NOW)],
    "he rises": [MemberChanged(ID, HIM, MODERATOR, NOW)],
}

# Whoever is not one of two owners is followed by nobody. `guests` and `member` are refusals, short
# for guests_not_allowed and not_a_member, as are `forbidden` and `direct_chat`.
TABLE = """
              |           | join   | leave     | add       | remove    | promote   | edit
public room   | guest     | guests | guests    | guests    | guests    | guests    | guests
public room   | stranger  | I join | member    | member    | member    | member    | member
public room   | member    | -      | I leave   | forbidden | forbidden | forbidden | forbidden
public room   | moderator | -      | I leave   | he joins  | he leaves | forbidden | forbidden
public room   | owner     | -      | I leave   | he joins  | he leaves | he rises  | edited
private room  | guest     | guests | guests    | guests    | guests    | guests    | guests
private room  | stranger  | member | member    | member    | member    | member    | member
private room  | member    | -      | I leave   | forbidden | forbidden | forbidden | forbidden
private room  | moderator | -      | I leave   | he joins  | he leaves | forbidden | forbidden
private room  | owner     | -      | I leave   | he joins  | he leaves | he rises  | edited
guests room   | guest     | guests | guests    | guests    | guests    | guests    | guests
guests room   | stranger  | I join | member    | member    | member    | member    | member
guests room   | member    | -      | I leave   | forbidden | forbidden | forbidden | forbidden
guests room   | moderator | -      | I leave   | he joins  | he leaves | forbidden | forbidden
guests room   | owner     | -      | I leave   | he joins  | he leaves | he rises  | edited
conversation  | guest     | guests | guests    | guests    | guests    | guests    | guests
conversation  | stranger  | member | member    | member    | member    | member    | member
conversation  | member    | -      | I leave   | forbidden | forbidden | forbidden | forbidden
conversation  | moderator | -      | I leave   | he joins  | he leaves | forbidden | forbidden
conversation  | owner     | -      | I leave   | he joins  | he leaves | he rises  | edited
direct        | guest     | guests | guests    | guests    | guests    | guests    | guests
direct        | stranger  | member | member    | member    | member    | member    | member
direct        | member    | -      | direct    | direct    | direct    | direct    | direct
direct        | moderator | -      | direct    | direct    | direct    | direct    | direct
direct        | owner     | -      | direct    | direct    | direct    | direct    | direct
"""

REFUSALS = {
    "guests": "guests_not_allowed",
    "member": "not_a_member",
    "forbidden": "forbidden",
    "direct": "direct_chat",
}


def read_table() -> list[tuple[str, str, str, str]]:
    lines = [[c.strip() for c in line.split("|")] for line in TABLE.splitlines() if line]
    commands = lines[0][2:]
    return [
        (place, kind, command, expected)
        for place, kind, *cells in lines[1:]
        for command, expected in zip(commands, cells, strict=True)
    ]


def ask(state: ChannelState, who: Who, command: ChannelChange) -> list[Durable]:
    return list(decide(state, who, command, NOW))


def refusal(state: ChannelState, who: Who, command: ChannelChange) -> str:
    with pytest.raises(DomainError) as refused:
        decide(state, who, command, NOW)
    return refused.value.code


def state(
    mine: Role | None,
    theirs: Role | None = None,
    *,
    place: Channel = PLACES["public room"],
    owners: int = 2,
    heir: Person | None = None,
) -> ChannelState:
    return ChannelState(
        place,
        None if mine is None else membership(ALICE, mine),
        HIM,
        None if theirs is None else membership(BOB, theirs),
        owners,
        heir,
    )


@pytest.mark.parametrize(("place", "kind", "command", "expected"), read_table())
def test_a_change_has_the_outcome_the_table_says(
    place: str, kind: str, command: str, expected: str
) -> None:
    where = PLACES[place]
    mine = None if kind in ("guest", "stranger") else Role(kind)
    who = GUEST if kind == "guest" else ALICE
    standing = state(mine, None if command == "add" else MEMBER, place=where)
    if expected in REFUSALS:
        assert refusal(standing, who, COMMANDS[command]) == REFUSALS[expected]
    elif expected == "edited":
        changed = ChannelChanged(ID, "Lounge", "", where.private, where.guests, NOW)
        assert ask(standing, who, COMMANDS[command]) == [changed]
    else:
        assert ask(standing, who, COMMANDS[command]) == OUTCOMES[expected]


def test_the_table_asks_for_every_command_of_everybody_everywhere() -> None:
    kinds = ("guest", "stranger", *Role)
    asked = [cell[:3] for cell in read_table()]
    assert sorted(asked) == sorted((p, k, c) for p in PLACES for k in kinds for c in COMMANDS)
    assert {type(c) for c in COMMANDS.values()} == set(ChannelChange.__args__)


@pytest.mark.parametrize(
    "command", [AddMember(1, BOB.id), RemoveMember(1, BOB.id), COMMANDS["promote"]]
)
def test_a_command_about_nobody_is_refused(command: ChannelChange) -> None:
    nobody = replace(state(OWNER), target=None)
    assert refusal(nobody, ALICE, command) == "unknown_user"


@pytest.mark.parametrize("command", [RemoveMember(1, BOB.id), COMMANDS["promote"]])
def test_a_command_about_a_stranger_is_refused_by_name(command: ChannelChange) -> None:
    assert refusal(state(OWNER), ALICE, command) == "unknown_member"


@pytest.mark.parametrize(
    "command", [AddMember(1, BOB.id), RemoveMember(1, BOB.id), COMMANDS["promote"]]
)
def test_whoever_may_not_ask_does_not_learn_whether_somebody_exists(
    command: ChannelChange,
) -> None:
    nobody = replace(state(MEMBER), target=None)
    assert refusal(nobody, ALICE, command) == "forbidden"


@pytest.mark.parametrize("theirs", Role)
def test_adding_a_member_again_changes_nothing(theirs: Role) -> None:
    assert ask(state(MODERATOR, theirs), ALICE, AddMember(1, BOB.id)) == []


@pytest.mark.parametrize("mine", Role)
def test_joining_again_leaves_the_role_alone(mine: Role) -> None:
    assert ask(state(mine), ALICE, JoinChannel(1)) == []


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (OWNER, MEMBER, "he leaves"),
        (OWNER, MODERATOR, "he leaves"),
        (OWNER, OWNER, "he leaves"),
        (MODERATOR, MEMBER, "he leaves"),
        (MODERATOR, MODERATOR, "forbidden"),
        (MODERATOR, OWNER, "forbidden"),
    ],
)
def test_only_owners_remove_owners_and_moderators(mine: Role, theirs: Role, expected: str) -> None:
    standing, command = state(mine, theirs), RemoveMember(1, BOB.id)
    if expected == "forbidden":
        assert refusal(standing, ALICE, command) == expected
    else:
        assert ask(standing, ALICE, command) == OUTCOMES[expected]


@pytest.mark.parametrize("mine", [OWNER, MODERATOR])
def test_nobody_removes_themselves(mine: Role) -> None:
    myself = replace(state(mine, mine), target=ME, theirs=membership(ALICE, mine))
    assert refusal(myself, ALICE, RemoveMember(1, ALICE.id)) == "use_leave"


@pytest.mark.parametrize("theirs", Role)
@pytest.mark.parametrize("role", Role)
def test_an_owner_gives_any_role_to_anybody(theirs: Role, role: Role) -> None:
    expected = [] if role is theirs else [MemberChanged(ID, HIM, role, NOW)]
    assert ask(state(OWNER, theirs), ALICE, SetRole(1, BOB.id, role)) == expected


@pytest.mark.parametrize("role", [MEMBER, MODERATOR])
def test_the_last_owner_stays_one_however_they_ask(role: Role) -> None:
    alone = replace(state(OWNER, owners=1), target=ME, theirs=membership(ALICE, OWNER))
    assert refusal(alone, ALICE, SetRole(1, ALICE.id, role)) == "last_owner"


def test_the_last_owner_may_say_again_that_they_are_one() -> None:
    alone = replace(state(OWNER, owners=1), target=ME, theirs=membership(ALICE, OWNER))
    assert ask(alone, ALICE, SetRole(1, ALICE.id, OWNER)) == []


def test_when_the_last_owner_leaves_the_heir_owns_the_channel() -> None:
    assert ask(state(OWNER, owners=1, heir=HIM), ALICE, LeaveChannel(1)) == [
        MemberLeft(ID, ME, None, NOW),
        MemberChanged(ID, HIM, OWNER, NOW),
    ]


@pytest.mark.parametrize(
    ("mine", "owners", "heir"),
    [(OWNER, 2, HIM), (OWNER, 1, None), (MODERATOR, 1, HIM), (MEMBER, 0, HIM)],
)
def test_otherwise_nobody_rises_when_somebody_leaves(
    mine: Role, owners: int, heir: Person | None
) -> None:
    leaving = state(mine, owners=owners, heir=heir)
    assert ask(leaving, ALICE, LeaveChannel(1)) == [MemberLeft(ID, ME, None, NOW)]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (EditChannel(1), None),
        (EditChannel(1, name="General"), None),
        (EditChannel(1, name="  General\n"), None),
        (EditChannel(1, "General", "", False), None),
        (EditChannel(1, name=" Lounge "), ("Lounge", "", False, False)),
        (EditChannel(1, description=" For all. "), ("General", "For all.", False, False)),
        (EditChannel(1, private=True), ("General", "", True, False)),
        (EditChannel(1, private=True, guests=False), ("General", "", True, False)),
        (EditChannel(1, guests=True), ("General", "", False, True)),
        (EditChannel(1, guests=False), None),
        (
            EditChannel(1, "n" * MAX_NAME, "d" * MAX_DESCRIPTION),
            ("n" * 100, "d" * 1000, False, False),
        ),
    ],
)
def test_an_edit_changes_what_it_names(
    edit: EditChannel, expected: tuple[str, str, bool, bool] | None
) -> None:
    changed = [] if expected is None else [ChannelChanged(ID, *expected, NOW)]
    assert ask(state(OWNER), ALICE, edit) == changed


@pytest.mark.parametrize(
    ("edit", "slug"),
    [
        (EditChannel(1, name=""), "invalid_name"),
        (EditChannel(1, name=" \n"), "invalid_name"),
        (EditChannel(1, name="n" * (MAX_NAME + 1)), "invalid_name"),
        (EditChannel(1, name="a\x00"), "invalid_name"),
        (EditChannel(1, description="d" * (MAX_DESCRIPTION + 1)), "invalid_description"),
        (EditChannel(1, description="\ud800"), "invalid_description"),
    ],
)
def test_an_edit_outside_the_limits_is_refused(edit: EditChannel, slug: str) -> None:
    assert refusal(state(OWNER), ALICE, edit) == slug


def test_a_description_can_be_taken_away() -> None:
    described = replace(PLACES["public room"], description="For all.")
    edit = EditChannel(1, description="")
    assert ask(state(OWNER, place=described), ALICE, edit) == [
        ChannelChanged(ID, "General", "", False, False, NOW)
    ]


def test_a_room_becomes_private_and_public_again_but_a_conversation_never_public() -> None:
    public = EditChannel(1, private=False)
    private_room = state(OWNER, place=PLACES["private room"])
    assert ask(private_room, ALICE, public) == [
        ChannelChanged(ID, "General", "", False, False, NOW)
    ]
    conversation = state(OWNER, place=PLACES["conversation"])
    assert refusal(conversation, ALICE, public) == "always_private"


def test_a_room_for_guests_keeps_them_until_it_is_said_otherwise() -> None:
    welcoming = state(OWNER, place=PLACES["guests room"])
    assert ask(welcoming, ALICE, EditChannel(1, name="Lounge")) == [
        ChannelChanged(ID, "Lounge", "", False, True, NOW)
    ]
    assert ask(welcoming, ALICE, EditChannel(1, guests=False)) == [
        ChannelChanged(ID, "General", "", False, False, NOW)
    ]
    assert ask(welcoming, ALICE, EditChannel(1, private=True, guests=False)) == [
        ChannelChanged(ID, "General", "", True, False, NOW)
    ]


@pytest.mark.parametrize(
    ("where", "edit"),
    [
        ("public room", EditChannel(1, private=True, guests=True)),
        ("private room", EditChannel(1, guests=True)),
        ("guests room", EditChannel(1, private=True)),
        ("conversation", EditChannel(1, guests=True)),
    ],
)
def test_nothing_is_private_and_for_guests(where: str, edit: EditChannel) -> None:
    assert refusal(state(OWNER, place=PLACES[where]), ALICE, edit) == "private_guests"


def test_whoever_is_first_to_join_an_abandoned_room_owns_it() -> None:
    [joined] = ask(state(None, owners=0), ALICE, JoinChannel(1))
    assert joined == MemberJoined(ID, ME, OWNER, None, NOW)


def test_a_room_that_nobody_made_is_nobodys() -> None:
    lobby = replace(PLACES["guests room"], created_by=None)
    [joined] = ask(state(None, owners=0, place=lobby), ALICE, JoinChannel(1))
    assert joined == OUTCOMES["I join"][0]


@dataclass
class Log:
    """A channel as storage keeps it: what is loaded for a decision, and what events do to it."""

    place: Channel
    members: dict[UserId, Membership] = field(default_factory=dict)

    def ask(self, who: Who, command: ChannelChange) -> list[Durable]:
        target = next((w for w in EVERYBODY if w.id == getattr(command, "user", 0)), None)
        others = sorted(
            (m for m in self.members.values() if m.user != who.id),
            key=lambda m: (m.role is not MODERATOR, m.joined_at, m.user),
        )
        heir = next((person(w) for w in EVERYBODY if others and w.id == others[0].user), None)
        standing = ChannelState(
            self.place,
            self.members.get(who.id),
            None if target is None else person(target),
            None if target is None else self.members.get(target.id),
            self.owners(),
            heir,
        )
        events = ask(standing, who, command)
        for event in events:
            self.apply(event)
        return events

    def apply(self, event: Durable) -> None:
        match event:
            case MemberJoined(user=user, role=role, at=at):
                assert user.id not in self.members, "joined twice"
                self.members[user.id] = Membership(user.id, role, at + len(self.members))
            case MemberLeft(user=user):
                del self.members[user.id]
            case MemberChanged(user=user, role=role):
                assert self.members[user.id].role is not role, "changed into the same"
                self.members[user.id] = replace(self.members[user.id], role=role)
            case ChannelChanged(private=private, guests=guests):
                self.place = replace(self.place, private=private, guests=guests)

    def owners(self) -> int:
        return sum(m.role is OWNER for m in self.members.values())


EVERYBODY = [ALICE, BOB, CAROL, DAVE]
ids = st.sampled_from([who.id for who in EVERYBODY])
changes = st.one_of(
    st.builds(JoinChannel, st.just(1)),
    st.builds(LeaveChannel, st.just(1)),
    st.builds(AddMember, st.just(1), ids),
    st.builds(RemoveMember, st.just(1), ids),
    st.builds(SetRole, st.just(1), ids, st.sampled_from(Role)),
    st.builds(EditChannel, st.just(1), private=st.booleans(), guests=st.booleans()),
)


@settings(deadline=None, derandomize=True)
@given(
    st.sampled_from([p for p in PLACES.values() if p.kind is not Kind.DIRECT]),
    st.lists(st.tuples(st.sampled_from(EVERYBODY), changes), max_size=50),
)
def test_whatever_is_asked_a_channel_with_members_has_an_owner(
    place: Channel, asked: list[tuple[Who, ChannelChange]]
) -> None:
    log = Log(place, {ALICE.id: membership(ALICE, OWNER), BOB.id: membership(BOB)})
    for who, command in asked:
        try:
            log.ask(who, command)
        except DomainError:
            pass
        assert log.owners() >= 1 or not log.members


@settings(deadline=None, derandomize=True)
@given(
    st.sampled_from(list(PLACES.values())),
    st.lists(st.tuples(st.sampled_from(EVERYBODY), changes), max_size=50),
)
def test_whatever_is_asked_for_twice_happens_once(
    place: Channel, asked: list[tuple[Who, ChannelChange]]
) -> None:
    log = Log(place, {ALICE.id: membership(ALICE, OWNER), BOB.id: membership(BOB)})
    for who, command in asked:
        try:
            log.ask(who, command)
            assert log.ask(who, command) == []
        except DomainError:
            pass

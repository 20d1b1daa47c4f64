"""Coming into a channel while things happen there: nothing missing, nothing twice, nothing that is
none of one's business, whatever is committed, published and read in whatever order.

A script is a string of steps. `S`: storage reads what entering needs. `R`: the hub gets it. `C`:
the next event is committed. `P`: the next one that was committed is published.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise, product

import pytest

from hubbub.core.answers import Entered, Recovery
from hubbub.core.commands import Enter
from hubbub.core.errors import DomainError, NotAMember, NotConnected, Unavailable
from hubbub.core.events import Durable
from hubbub.core.ids import ChannelId, Cursor
from tests.hub.fakes import Place, Socket, Stage, turns, until
from tests.support.samples import ALICE, BOB, CAROL, EPOCH, came_in, changed, said, went_out

ID = ChannelId(1)


@cache
def scripts(events: int) -> Sequence[str]:
    """Every order in which entering and this many events can meet."""

    def write(read: int, committed: int, published: int) -> Iterator[str]:
        if (read, committed, published) == (2, events, events):
            yield ""
        if read < 2:
            yield from ("SR"[read] + rest for rest in write(read + 1, committed, published))
        if committed < events:
            yield from ("C" + rest for rest in write(read, committed + 1, published))
        if published < committed:
            yield from ("P" + rest for rest in write(read, committed, published + 1))

    return list(write(0, 0, 0))


def test_there_are_as_many_orders_as_there_should_be() -> None:
    assert [len(scripts(n)) for n in (0, 1, 2, 3)] == [1, 6, 30, 140]
    assert len(set(scripts(3))) == 140


def test_the_orders_of_a_script_are_kept() -> None:
    for script in scripts(3):
        assert script.index("S") < script.index("R")
        for taken, given in product([script], pairwise("CP")):
            assert all(
                taken[: n + 1].count(given[1]) <= taken[: n + 1].count(given[0])
                for n in range(len(taken))
            )


@dataclass
class Scene:
    """A channel with three messages in it, somebody else there or not, and Bob at the door."""

    before: Sequence[Durable] = (said("1"), said("2"), said("3"))
    company_since: int | None = 1
    member: bool = True
    private: bool = False
    stage: Stage = field(default_factory=Stage)
    place: Place = field(init=False)
    bob: Socket = field(init=False)

    async def prepare(self) -> None:
        members = [ALICE, BOB] if self.member else [ALICE]
        self.place = self.stage.services.add(1, *members, private=self.private)
        for number, event in enumerate(self.before):
            if number == self.company_since:
                await self.stage.connect(ALICE).enter(1)
            self.stage.happen(self.place, event)
        self.bob = self.stage.connect(BOB)

    async def play(
        self, script: str, events: Sequence[Durable], **options: object
    ) -> Entered | DomainError:
        """Enters by the script; what Bob was answered comes back."""
        services = self.stage.services
        gates = [services.hold("enter"), services.hold("entered")]
        entering = self.bob.entering(1, **options)
        await gates[0].reached.wait()
        coming, log = iter(events), self.place.log
        published = len(log)
        for step in script:
            match step:
                case "S":
                    gates[0].opened.set()
                    await until(lambda: gates[1].reached.is_set() or entering.done())
                case "R":
                    gates[1].opened.set()
                    await turns()
                case "C":
                    self.place.commit(next(coming))
                case "P":
                    self.stage.publish(log[published])
                    published += 1
        await turns()
        try:
            return await entering
        except DomainError as error:
            return error

    @property
    def live(self) -> list[str]:
        """What Bob was told after the answer; before it he is told nothing."""
        lines = [line for line in self.bob.got if not line.startswith("UserCame")]
        assert not lines or lines[0].startswith("in 1 at ")
        return lines[1:]

    @property
    def inside(self) -> bool:
        return ID in self.bob.connection.subscriptions


def numbers(lines: Sequence[str]) -> list[int]:
    """The `seq` of each event told."""
    return [int(line.split()[0]) for line in lines if line[0].isdigit()]


COMPANY = [None, 0, 1, 3]
MESSAGES = (said("4"), said("5"), said("6"))


@pytest.mark.parametrize("company_since", COMPANY)
@pytest.mark.parametrize("seq", [0, 1, 2, 3])
async def test_from_a_cursor_on_everything_comes_once_and_in_order(
    seq: int, company_since: int | None
) -> None:
    for script in scripts(3):
        scene = Scene(company_since=company_since)
        await scene.prepare()
        answer = await scene.play(script, MESSAGES, cursor=Cursor(EPOCH, seq))
        assert isinstance(answer, Entered), script
        missed = [envelope.seq for envelope in answer.events]
        assert answer.recovery is Recovery.RECOVERED, script
        assert missed == list(range(seq + 1, answer.seq + 1)), script
        assert missed + numbers(scene.live) == list(range(seq + 1, 7)), script


@pytest.mark.parametrize("company_since", COMPANY)
async def test_without_a_cursor_live_goes_on_where_the_answer_stands(
    company_since: int | None,
) -> None:
    for script in scripts(3):
        scene = Scene(company_since=company_since)
        await scene.prepare()
        answer = await scene.play(script, MESSAGES, history=2)
        assert isinstance(answer, Entered), script
        assert (answer.recovery, list(answer.events)) == (None, []), script
        assert numbers(scene.live) == list(range(answer.seq + 1, 7)), script
        latest = [envelope.seq for envelope in answer.history]
        assert latest == list(range(answer.seq + 1 - len(latest), answer.seq + 1)), script
        # What storage is ahead by comes live, and may have pushed older ones out of the page.
        assert len(latest) == 2 or len(latest) + len(scene.live) >= 2, script


@pytest.mark.parametrize("cursor", [Cursor("another time", 2), Cursor(EPOCH, 99), Cursor("", 0)])
@pytest.mark.parametrize("company_since", COMPANY)
async def test_a_cursor_from_another_time_is_reset_and_live_goes_on(
    cursor: Cursor, company_since: int | None
) -> None:
    for script in scripts(2):
        scene = Scene(company_since=company_since)
        await scene.prepare()
        answer = await scene.play(script, MESSAGES[:2], cursor=cursor)
        assert isinstance(answer, Entered), script
        assert answer.recovery is Recovery.RESET, script
        assert list(answer.events) == [], script
        assert numbers(scene.live) == list(range(answer.seq + 1, 6)), script


@pytest.mark.parametrize("company_since", [None, 2])
async def test_what_is_too_much_comes_as_its_newest_part_without_a_hole(
    company_since: int | None,
) -> None:
    for script in scripts(3):
        scene = Scene(company_since=company_since)
        await scene.prepare()
        scene.stage.services.most = 2
        answer = await scene.play(script, MESSAGES, cursor=Cursor(EPOCH, 0))
        assert isinstance(answer, Entered), script
        assert answer.recovery is Recovery.TRUNCATED, script
        missed = [envelope.seq for envelope in answer.events]
        told = missed + numbers(scene.live)
        assert told == list(range(told[0], 7)), script
        assert missed == list(range(told[0], answer.seq + 1)), script


async def test_recovery_reads_storage_only_where_memory_does_not_reach() -> None:
    for company_since, seq, from_memory in [(None, 3, False), (1, 1, True), (1, 0, False)]:
        scene = Scene(company_since=company_since)
        await scene.prepare()
        await scene.play("SR", (), cursor=Cursor(EPOCH, seq))
        asked = scene.stage.services.called("enter")[-1]
        assert isinstance(asked, Enter)
        assert (asked.cursor is None) == from_memory


async def test_a_busy_channel_is_read_once_however_much_is_told_meanwhile() -> None:
    for cursor in (None, Cursor(EPOCH, 2)):
        scene = Scene()
        await scene.prepare()
        answer = await scene.play("S" + 1_000 * "CP" + "R", 1_000 * [said()], cursor=cursor)
        assert isinstance(answer, Entered)
        assert answer.seq == 1_003
        assert len(answer.events) == (1_001 if cursor else 0)
        assert len(scene.stage.services.called("enter")) == 2  # Alice's and Bob's


# Who may come in changes meanwhile


@pytest.mark.parametrize(
    ("member", "private", "events", "last_allowed"),
    [
        (True, True, (said(), went_out(BOB), said("secret")), 5),
        (True, False, (went_out(BOB), changed(private=True), said("secret")), 5),
        (False, False, (said(), changed(private=True), said("secret")), 5),
        (True, True, (went_out(BOB), said("secret"), said("secret")), 4),
    ],
)
@pytest.mark.parametrize("company_since", [None, 1])
@pytest.mark.parametrize("cursor", [None, Cursor(EPOCH, 2)])
async def test_whoever_may_not_be_there_any_more_is_out_and_told_nothing_more(
    member: bool,
    private: bool,
    events: Sequence[Durable],
    last_allowed: int,
    company_since: int | None,
    cursor: Cursor | None,
) -> None:
    for script in scripts(3):
        scene = Scene(company_since=company_since, member=member, private=private)
        await scene.prepare()
        answer = await scene.play(script, events, cursor=cursor, history=5)
        assert not scene.inside, script
        told = numbers(scene.bob.got)
        if isinstance(answer, Entered):
            assert "out of 1 General" in scene.live, script
            told += [envelope.seq for envelope in (*answer.events, *answer.history)]
        else:
            assert isinstance(answer, NotAMember), script
            assert scene.bob.got == [], script
        assert max(told, default=0) <= last_allowed, script


@pytest.mark.parametrize(
    ("member", "events"),
    [
        (True, (went_out(BOB), came_in(BOB), said())),
        (False, (changed(private=True), changed(private=False), said())),
        (False, (changed(private=True), came_in(BOB), said())),
    ],
)
@pytest.mark.parametrize("company_since", [None, 1])
async def test_whoever_was_out_and_in_again_is_inside_or_knows_that_they_are_not(
    member: bool, events: Sequence[Durable], company_since: int | None
) -> None:
    for script in scripts(3):
        scene = Scene(company_since=company_since, member=member)
        await scene.prepare()
        answer = await scene.play(script, events, cursor=Cursor(EPOCH, 2))
        if not isinstance(answer, Entered):
            assert isinstance(answer, NotAMember), script
            assert not scene.inside, script
        elif scene.inside:
            missed = [envelope.seq for envelope in answer.events]
            assert missed + numbers(scene.live) == [3, 4, 5, 6], script
        else:
            assert "out of 1 General" in scene.live, script


@pytest.mark.parametrize("company_since", [None, 1])
async def test_whoever_was_out_and_in_again_before_the_hub_hears_may_enter(
    company_since: int | None,
) -> None:
    scene = Scene(company_since=company_since)
    await scene.prepare()
    answer = await scene.play("SCPCPR", (went_out(BOB), came_in(BOB)))
    assert isinstance(answer, Entered)
    assert scene.inside


@pytest.mark.parametrize("company_since", [None, 1])
async def test_whoever_becomes_a_member_meanwhile_enters_as_one(company_since: int | None) -> None:
    for script in scripts(2):
        scene = Scene(company_since=company_since, member=False)
        await scene.prepare()
        answer = await scene.play(script, (came_in(BOB), said()))
        assert isinstance(answer, Entered), script
        subscription = scene.bob.connection.subscriptions[ID]
        assert (subscription.member, subscription.may_post) == (True, True), script


@pytest.mark.parametrize("company_since", [None, 1])
async def test_a_channel_renamed_meanwhile_has_its_new_name(company_since: int | None) -> None:
    for script in scripts(2):
        scene = Scene(company_since=company_since)
        await scene.prepare()
        await scene.play(script, (changed(private=False, name="Lounge"), said()))
        known = scene.stage.hub.channel(ID)
        assert known is not None
        assert known.name == "Lounge", script


async def test_that_somebody_else_leaves_meanwhile_stops_nobody() -> None:
    for script in scripts(2):
        scene = Scene()
        await scene.prepare()
        answer = await scene.play(script, (went_out(CAROL), said()), cursor=Cursor(EPOCH, 3))
        assert isinstance(answer, Entered), script
        assert scene.inside, script


@pytest.mark.parametrize(
    ("member", "events", "stays"),
    [
        (True, (went_out(BOB), came_in(BOB)), True),
        (False, (came_in(BOB), went_out(BOB)), False),
        (False, (changed(private=True), changed(private=False)), False),
    ],
)
@pytest.mark.parametrize("company_since", [None, 1])
async def test_what_storage_knew_when_somebody_entered_changes_nothing_for_them(
    member: bool, events: Sequence[Durable], stays: bool, company_since: int | None
) -> None:
    for script in scripts(2):
        if script.index("S") < script.rindex("C"):
            continue
        scene = Scene(company_since=company_since, member=member)
        await scene.prepare()
        answer = await scene.play(script, events)
        assert isinstance(answer, Entered), script
        assert scene.inside, script
        subscription = scene.bob.connection.subscriptions[ID]
        assert (subscription.member, subscription.may_post) == (stays, stays), script


async def test_a_name_that_was_read_is_not_replaced_by_an_older_one() -> None:
    scene = Scene()
    await scene.prepare()
    for name in ("Old", "New"):
        scene.place.commit(changed(private=False, name=name))
    await scene.bob.enter(1)
    scene.stage.publish(scene.place.log[3])
    known = scene.stage.hub.channel(ID)
    assert known is not None
    assert known.name == "New"


# Entering again, and going while entering


async def test_entering_again_without_a_cursor_leaves_no_hole() -> None:
    for script in scripts(3):
        scene = Scene()
        await scene.prepare()
        await scene.bob.enter(1)
        await turns()
        scene.bob.sink.writes.clear()
        assert isinstance(await scene.play(script, MESSAGES), Entered), script
        assert numbers(scene.bob.got) == [4, 5, 6], script
        answered = next(n for n, line in enumerate(scene.bob.got) if line.startswith("in 1 at "))
        seq = int(scene.bob.got[answered].split()[-1])
        assert max([3, *numbers(scene.bob.got[:answered])]) == seq, script


async def test_whoever_comes_while_somebody_enters_again_is_announced() -> None:
    scene = Scene()
    await scene.prepare()
    await scene.bob.enter(1)
    gate = scene.stage.services.hold("entered")
    again = scene.bob.entering(1)
    await gate.reached.wait()
    await scene.stage.connect(CAROL).enter(1)
    gate.opened.set()
    await again
    await turns()
    assert "UserCame carol" in scene.bob.got


@pytest.mark.parametrize("seq", [1, 3])
async def test_entering_again_goes_on_from_the_new_cursor(seq: int) -> None:
    for script in scripts(3):
        scene = Scene()
        await scene.prepare()
        await scene.bob.enter(1)
        await turns()
        scene.bob.sink.writes.clear()
        answer = await scene.play(script, MESSAGES, cursor=Cursor(EPOCH, seq))
        assert isinstance(answer, Entered), script
        missed = [envelope.seq for envelope in answer.events]
        assert missed + numbers(scene.live) == list(range(seq + 1, 7)), script
        assert len(scene.stage.hub._feeds[ID].of(BOB.id)) == 1, script


async def test_entering_again_is_no_second_arrival() -> None:
    scene = Scene()
    await scene.prepare()
    for _ in range(3):
        await scene.bob.enter(1, presence=False)
    alice = scene.stage.hub._feeds[ID].of(ALICE.id)[0].sink
    await turns()
    assert [line for line in alice.got if "Came bob" in line] == ["UserCame bob"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("error", [Unavailable("not now"), NotAMember("no")])
async def test_whoever_is_refused_when_entering_again_is_out(error: DomainError) -> None:
    scene = Scene()
    await scene.prepare()
    await scene.bob.enter(1)
    scene.stage.services.fail("enter", error)
    with pytest.raises(type(error)):
        await scene.bob.enter(1)
    assert not scene.inside
    assert scene.stage.hub._feeds[ID].of(BOB.id) == []
    assert len(scene.stage.services.called("go")) == 1


@pytest.mark.parametrize("held", ["resolve", "enter", "entered"])
@pytest.mark.parametrize("again", [True, False])
async def test_a_socket_that_goes_while_entering_is_in_no_channel(held: str, again: bool) -> None:
    scene = Scene(company_since=None)
    await scene.prepare()
    if again:
        await scene.bob.enter(1)
    gate = scene.stage.services.hold(held)
    entering = scene.bob.entering(1)
    await gate.reached.wait()
    scene.stage.hub.remove(scene.bob.connection)
    gate.opened.set()
    with pytest.raises(NotConnected):
        await entering
    assert scene.bob.connection.subscriptions == {}
    assert scene.stage.hub._feeds == {}
    assert len(scene.stage.services.called("come")) == len(scene.stage.services.called("go"))


@pytest.mark.parametrize("held", ["resolve", "enter", "entered"])
async def test_entering_that_is_given_up_leaves_nothing_behind(held: str) -> None:
    scene = Scene(company_since=None)
    await scene.prepare()
    gate = scene.stage.services.hold(held)
    entering = scene.bob.entering(1)
    await gate.reached.wait()
    entering.cancel()
    await turns()
    scene.stage.hub.remove(scene.bob.connection)
    assert scene.stage.hub._feeds == {}
    assert scene.stage.services.called("come") == []

"""Ids and what is passed between them: owners, queues, expiry, heartbeats, on our own clock."""

import pytest

from hubbub.bus.memory import MemoryBus
from hubbub.core.claims import PassKind
from hubbub.core.commands import Claim, GiveUpClaim, KeepClaim, Pass
from hubbub.core.errors import Forbidden
from hubbub.core.events import Departure, Envelope, NameTaken, Passed, claim_of
from hubbub.core.ids import UserId, Who
from hubbub.core.limits import Rates
from hubbub.services import peerjs, waiting
from hubbub.services.peerjs import PeerJs
from hubbub.storage.base import Account
from tests.hub.fakes import Clock

ALICE = Who(UserId(1), "alice")
BOB = Who(UserId(2), "bob")
CAROL = Who(UserId(3), "carol-2", subject="carol")
GUEST = Who(UserId(-5), "guest")


class Exchange:
    """The service with everything it told and everybody it sent away."""

    def __init__(self, rate: float = 0, burst: float = 0, *, anything: bool = False) -> None:
        """`anything` is claimed by anybody, whatever accounts there are."""
        self.clock = Clock()
        self.accounts: dict[str, Account] = {}
        self.told: list[Passed] = []
        self.evicted: list[str] = []
        bus = MemoryBus()
        bus.subscribe(self._hear, lambda _: None)
        find = None if anything else self._find
        self.service = PeerJs(bus, self._evict, find, Rates(rate, burst), self.clock)

    async def claim(
        self, who: Who, id: str, connection: str = "", *, address: str = "127.0.0.1"
    ) -> list[Passed]:
        """Claims an id, on a connection of the same name; what had waited comes back."""
        claimed = await self.service.claim(who, connection or id, address, Claim(id))
        return list(claimed.waiting)

    async def refuses(self, who: Who, id: str) -> bool:
        """Whether the id is taken for them; else they have it on the connection `refused`."""
        try:
            await self.claim(who, id, "refused")
        except Forbidden as error:
            return error.code == "id_taken"
        return False

    def lose(self, connection: str) -> None:
        """A socket is cut."""
        self.service.closed(connection, Departure.LOST)

    def close(self, connection: str) -> None:
        """A socket closes as it should."""
        self.service.closed(connection, Departure.DISCONNECTED)

    def register(self, who: Who) -> None:
        """Somebody has an account."""
        self.accounts[who.person.handle] = Account(
            who.id, who.name, None, None, admin=False, disabled=False, created_at=0
        )

    async def _find(self, handle: str) -> Account | None:
        return self.accounts.get(handle)

    def say(
        self, src: str, dst: str, payload: bytes | None = b"{}", kind: PassKind = PassKind.OFFER
    ) -> None:
        self.service.carry_out(src, Pass(kind, dst, payload))

    def later(self, seconds: float) -> None:
        """Time passes, and then somebody ticks."""
        self.clock.now += seconds
        self.service.tick()

    def heard(self) -> list[Passed]:
        """What was told since this was last asked."""
        told, self.told = self.told, []
        return told

    def _hear(self, envelopes: object) -> None:
        for envelope in envelopes:  # type: ignore[attr-defined]
            assert isinstance(envelope, Envelope)
            assert isinstance(envelope.event, Passed)
            assert envelope.to == claim_of(envelope.event.dst)
            self.told.append(envelope.event)

    def _evict(self, address: str, reason: str) -> None:
        assert reason
        self.evicted.append(address)


def expired(absent: str, sender: str) -> Passed:
    return Passed(PassKind.EXPIRE, absent, sender)


async def test_what_is_said_reaches_whoever_has_the_id() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    await exchange.claim(BOB, "b")
    exchange.say("a", "b", b'{"sdp":1}')
    exchange.say("b", "a", None, PassKind.LEAVE)
    assert exchange.heard() == [
        Passed(PassKind.OFFER, "a", "b", b'{"sdp":1}'),
        Passed(PassKind.LEAVE, "b", "a", None),
    ]


@pytest.mark.parametrize("other", [BOB, GUEST])
async def test_an_id_is_for_its_owner_alone(other: Who) -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    with pytest.raises(Forbidden) as refused:
        await exchange.claim(other, "a", "another")
    assert refused.value.code == "id_taken"
    assert not exchange.evicted
    exchange.say("another", "a")
    assert exchange.heard() == []


async def test_its_owner_takes_an_id_to_another_socket_and_the_older_one_is_sent_away() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a", "old")
    await exchange.claim(ALICE, "a", "new")
    await exchange.claim(BOB, "b")
    assert exchange.evicted == [claim_of("a")]
    exchange.say("old", "b")
    exchange.close("old")
    exchange.say("new", "b")
    assert [passed.src for passed in exchange.heard()] == ["a"]


async def test_a_closed_socket_frees_its_id_and_nobody_is_told() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    await exchange.claim(BOB, "b")
    exchange.say("a", "b")
    exchange.heard()
    exchange.close("a")
    exchange.close("a")
    await exchange.claim(GUEST, "a")
    assert exchange.heard() == []


async def test_what_is_said_to_an_absent_id_waits_for_it_in_order() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    await exchange.claim(BOB, "b")
    for number in range(3):
        exchange.say("a", "c", b"%d" % number)
        exchange.say("b", "c", b"%d" % number)
    exchange.later(4.9)
    waited = await exchange.claim(GUEST, "c")
    assert [(passed.src, passed.payload) for passed in waited] == [
        ("a", b"0"), ("b", b"0"), ("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", b"2"),
    ]  # fmt: skip
    exchange.later(60)
    assert exchange.heard() == []


async def test_each_sender_is_told_once_what_expired() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    await exchange.claim(BOB, "b")
    exchange.say("a", "c")
    exchange.say("a", "c", kind=PassKind.CANDIDATE)
    exchange.say("b", "c")
    exchange.later(4.99)
    assert exchange.heard() == []
    exchange.later(0.01)
    assert exchange.heard() == [expired("c", "a"), expired("c", "b")]
    exchange.later(10)
    assert exchange.heard() == []
    assert await exchange.claim(GUEST, "c") == []


async def test_a_queue_is_as_old_as_the_first_in_it() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    await exchange.claim(BOB, "b")
    exchange.say("a", "c")
    exchange.later(4)
    exchange.say("b", "c")
    exchange.later(1)
    assert exchange.heard() == [expired("c", "a"), expired("c", "b")]


@pytest.mark.parametrize("kind", [PassKind.LEAVE, PassKind.EXPIRE])
async def test_a_farewell_to_nobody_neither_waits_nor_expires(kind: PassKind) -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    exchange.say("a", "c", kind=kind)
    exchange.later(10)
    assert exchange.heard() == []
    assert await exchange.claim(BOB, "c") == []


async def test_silence_for_a_minute_ends_a_claim_and_a_heartbeat_keeps_it() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    await exchange.claim(BOB, "b")
    exchange.later(59.9)
    exchange.service.carry_out("b", KeepClaim())
    assert exchange.evicted == []
    exchange.later(0.1)
    assert exchange.evicted == [claim_of("a")]
    await exchange.claim(GUEST, "a")


async def test_talking_is_no_heartbeat() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    exchange.clock.now += 59
    exchange.say("a", "b")
    exchange.later(1)
    assert exchange.evicted == [claim_of("a")]


async def test_an_id_can_be_given_up() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    exchange.service.carry_out("a", GiveUpClaim())
    assert exchange.evicted == [claim_of("a")]
    await exchange.claim(BOB, "a", "b's")


async def test_what_may_not_wait_expires_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST_OF_ONE", 2 * waiting.OVERHEAD)
    exchange = Exchange()
    await exchange.claim(ALICE, "a")
    for absent in ("c", "d", "e"):
        exchange.say("a", absent, b"")
    assert exchange.heard() == [expired("e", "a")]
    await exchange.claim(BOB, "c")
    exchange.say("a", "e", b"")
    assert exchange.heard() == [], "what was fetched waits no longer"


async def test_one_guest_with_much_to_say_keeps_nobody_else_from_waiting() -> None:
    exchange = Exchange()
    await exchange.claim(GUEST, "g", address="192.0.2.1")
    await exchange.claim(BOB, "b", address="192.0.2.2")
    for number in range(107):
        exchange.say("g", f"absent-{number}", b"x" * 250_000)
    exchange.heard()
    exchange.say("b", "absent-0")
    exchange.say("b", "somebody")
    assert exchange.heard() == []


async def test_a_pair_has_a_rate_and_what_goes_past_it_expires() -> None:
    exchange = Exchange(rate=1, burst=2)
    for who, id in ((ALICE, "a"), (BOB, "b"), (GUEST, "c")):
        await exchange.claim(who, id)
    for _ in range(3):
        exchange.say("a", "b")
    exchange.say("a", "c")
    assert [passed.kind for passed in exchange.heard()] == ["OFFER", "OFFER", "EXPIRE", "OFFER"]
    exchange.clock.now += 1
    exchange.say("a", "b")
    assert [passed.kind for passed in exchange.heard()] == ["OFFER"]


async def test_many_addressees_have_a_rate_together() -> None:
    exchange = Exchange(rate=1, burst=1)
    await exchange.claim(ALICE, "a")
    for number in range(peerjs.SENDER_FACTOR + 1):
        exchange.say("a", f"absent-{number}")
    assert exchange.heard() == [expired(f"absent-{peerjs.SENDER_FACTOR}", "a")]


async def test_an_accounts_name_is_for_its_owner_alone() -> None:
    exchange = Exchange()
    exchange.register(ALICE)
    for other in (BOB, GUEST):
        assert await exchange.refuses(other, "alice")
    await exchange.claim(ALICE, "alice")


async def test_where_everybody_is_believed_an_accounts_name_is_for_anybody() -> None:
    exchange = Exchange(anything=True)
    exchange.register(ALICE)
    await exchange.claim(GUEST, "alice")


async def test_whoever_registers_a_name_gets_it_from_whoever_had_it_before() -> None:
    exchange = Exchange()
    await exchange.claim(BOB, "b")
    await exchange.claim(GUEST, "alice", "lost")
    exchange.lose("lost")
    exchange.say("b", "alice", b"for the guest")
    exchange.register(ALICE)
    assert await exchange.claim(ALICE, "alice") == []
    assert exchange.heard() == [expired("alice", "b")]
    await exchange.claim(GUEST, "carol", "still here")
    exchange.register(CAROL)
    await exchange.claim(CAROL, "carol")
    assert exchange.evicted == [claim_of("carol")]
    exchange.close("still here")
    exchange.say("b", "carol")
    assert [passed.dst for passed in exchange.heard()] == ["carol"]


async def test_ids_that_become_an_accounts_name_are_taken_from_whoever_has_them() -> None:
    exchange = Exchange()
    for id in ("Hugo", "b7c1", "B7C1", "other"):
        await exchange.claim(GUEST, id)
    exchange.service.on_notice(NameTaken("hugo", "b7c1"))
    assert exchange.evicted == [claim_of("Hugo"), claim_of("b7c1")]
    await exchange.claim(BOB, "b")
    exchange.say("b", "Hugo", kind=PassKind.LEAVE)
    exchange.say("b", "B7C1")
    assert [passed.dst for passed in exchange.heard()] == ["B7C1"]
    for connection in ("Hugo", "b7c1"):
        exchange.close(connection)


async def test_where_everybody_is_believed_a_new_account_takes_no_id() -> None:
    exchange = Exchange(anything=True)
    await exchange.claim(GUEST, "hugo")
    exchange.service.on_notice(NameTaken("hugo"))
    assert exchange.evicted == []


@pytest.mark.parametrize("owner", [ALICE, GUEST])
async def test_an_id_whose_socket_is_lost_waits_for_its_owner(owner: Who) -> None:
    exchange = Exchange()
    await exchange.claim(owner, "phone")
    await exchange.claim(BOB, "b")
    exchange.lose("phone")
    exchange.say("b", "phone")
    assert exchange.heard() == []
    assert await exchange.refuses(CAROL, "phone")
    waited = await exchange.claim(owner, "phone", "again")
    assert [passed.src for passed in waited] == ["b"]
    assert exchange.evicted == [], "there was no socket to close"
    exchange.say("b", "phone")
    assert [passed.kind for passed in exchange.heard()] == ["OFFER"]


async def test_nobody_comes_back_for_a_lost_id_within_a_minute_and_it_is_free() -> None:
    exchange = Exchange()
    await exchange.claim(BOB, "b")
    await exchange.claim(ALICE, "phone")
    exchange.clock.now += 30
    exchange.lose("phone")
    exchange.later(29)
    exchange.service.carry_out("b", KeepClaim())
    exchange.later(30.9)
    assert await exchange.refuses(CAROL, "phone")
    exchange.say("b", "phone", b"for alice")
    exchange.later(0.1)
    assert exchange.heard() == [expired("phone", "b")], "what waits is for the owner alone"
    assert await exchange.claim(CAROL, "phone") == []
    assert exchange.evicted == []


async def test_what_waits_for_a_lost_id_expires_as_for_any_other() -> None:
    exchange = Exchange()
    await exchange.claim(ALICE, "phone")
    await exchange.claim(BOB, "b")
    exchange.lose("phone")
    exchange.say("b", "phone")
    exchange.say("b", "phone", kind=PassKind.LEAVE)
    exchange.later(5)
    assert exchange.heard() == [expired("phone", "b")]


async def test_no_more_lost_ids_are_kept_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peerjs, "MOST_KEPT_OF_ONE", 2)
    monkeypatch.setattr(peerjs, "MOST_KEPT_OF_NETWORK", 3)
    monkeypatch.setattr(peerjs, "MOST_KEPT", 4)
    exchange = Exchange()

    async def kept(who: Who, id: str, address: str) -> bool:
        await exchange.claim(who, id, address=address)
        exchange.lose(id)
        return await exchange.refuses(CAROL, id)

    assert await kept(ALICE, "a1", "192.0.2.1")
    assert await kept(ALICE, "a2", "192.0.2.1")
    assert not await kept(ALICE, "a3", "192.0.2.1"), "one person's"
    exchange.close("refused")
    assert await kept(BOB, "b1", "192.0.2.1")
    assert not await kept(GUEST, "g1", "192.0.2.1"), "one network's"
    exchange.close("refused")
    assert await kept(GUEST, "g2", "192.0.2.2")
    assert not await kept(BOB, "b2", "192.0.2.3"), "altogether"
    exchange.close("refused")
    await exchange.claim(ALICE, "a1", "back")
    assert await kept(BOB, "b2", "192.0.2.3"), "there is room again"
    exchange.later(60)
    assert await kept(ALICE, "a4", "192.0.2.1"), "and when they are free"

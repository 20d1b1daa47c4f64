"""Tickets: one use, thirty seconds, and nothing in memory that could be used."""

import pytest

from hubbub.auth.tickets import LIFETIME, Tickets
from hubbub.auth.tokens import Identity
from hubbub.core.errors import TooMany, Unauthenticated
from hubbub.core.ids import UserId, Who

ALICE = Identity(Who(UserId(1), "alice", "session"), 2_000_000_000.0)
BOB = Identity(Who(UserId(2), "bob", "other"), 2_000_000_000.0)


def refused(tickets: Tickets, ticket: str, now: float) -> bool:
    with pytest.raises(Unauthenticated) as caught:
        tickets.redeem(ticket, now)
    return caught.value.code == "ticket_invalid"


def test_a_ticket_tells_whose_it_is() -> None:
    tickets = Tickets()
    mine, theirs = tickets.issue(ALICE, 100.0), tickets.issue(BOB, 100.0)
    assert tickets.redeem(theirs, 101.0) == BOB
    assert tickets.redeem(mine, 101.0) == ALICE


def test_a_ticket_works_once() -> None:
    tickets = Tickets()
    ticket = tickets.issue(ALICE, 100.0)
    tickets.redeem(ticket, 100.0)
    assert refused(tickets, ticket, 100.0)


def test_a_ticket_works_for_thirty_seconds() -> None:
    tickets = Tickets()
    early, late = tickets.issue(ALICE, 100.0), tickets.issue(ALICE, 100.0)
    assert tickets.redeem(early, 129.9) == ALICE
    assert refused(tickets, late, 130.0)


def test_a_ticket_is_256_random_bits() -> None:
    tickets = Tickets()
    first, second = tickets.issue(ALICE, 0.0), tickets.issue(ALICE, 0.0)
    assert first != second
    assert len(first.removeprefix("hbt_")) == 43


@pytest.mark.parametrize(
    "ticket", ["", "x", "hbt_", "é", "\ud800", "\x00", "x" * 10**6], ids=range(7)
)
def test_what_is_no_ticket_is_refused(ticket: str) -> None:
    assert refused(Tickets(), ticket, 0.0)


def test_no_ticket_can_be_read_out_of_memory() -> None:
    tickets = Tickets()
    ticket = tickets.issue(ALICE, 0.0)
    assert ticket not in repr(vars(tickets))


def test_one_person_cannot_fill_the_memory() -> None:
    tickets = Tickets(most_each=3)
    kept = [tickets.issue(ALICE, 0.0) for _ in range(3)]
    with pytest.raises(TooMany) as caught:
        tickets.issue(ALICE, 0.0)
    assert caught.value.retry_after == LIFETIME
    assert tickets.redeem(tickets.issue(BOB, 0.0), 0.0) == BOB
    tickets.redeem(kept[0], 0.0)
    assert tickets.issue(ALICE, 0.0)


def test_all_together_cannot_fill_the_memory() -> None:
    tickets = Tickets(most=2)
    tickets.issue(ALICE, 0.0)
    tickets.issue(BOB, 0.0)
    with pytest.raises(TooMany):
        tickets.issue(BOB, 0.0)
    assert len(tickets) == 2


def test_old_tickets_make_room() -> None:
    tickets = Tickets(most=2, most_each=2)
    for _ in range(2):
        tickets.issue(ALICE, 0.0)
    tickets.issue(ALICE, 30.0)
    assert len(tickets) == 1

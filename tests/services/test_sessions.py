"""Logins: how they go on, how they end, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from hubbub.auth.tokens import Tokens
from hubbub.core.errors import (
    AccountGone,
    RefreshReused,
    Unauthenticated,
    Unavailable,
)
from hubbub.core.events import SessionRevoked
from hubbub.core.ids import UserId, Who
from hubbub.services.accounts import Login
from tests.support.accounts import ADMIN, LateBus, Office, refused


async def test_a_refresh_token_gives_new_tokens_of_the_same_login(office: Office) -> None:
    await office.register()
    first = await office.login()
    office.clock.now += 3600
    assert await refused(office.who(first), Unauthenticated) == "token_expired"
    second = await office.service.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.session == first.session
    assert (await office.who(second)).session == first.session.id


async def test_nothing_that_can_fail_comes_after_a_refresh_token_was_used_up(
    office: Office,
) -> None:
    """Else the client would try again, with a token that has been used."""
    account = await office.register()
    login = await office.login()
    office.storage.fail("account_by_id", Unavailable("down"))
    assert (await office.service.refresh(login.refresh_token)).account == account


async def test_a_refresh_token_used_twice_ends_the_login_and_tells_everybody(
    office: Office,
) -> None:
    await office.register()
    first = await office.login()
    second = await office.service.refresh(first.refresh_token)
    await office.who(second)
    await refused(office.service.refresh(first.refresh_token), RefreshReused)
    assert office.ended == [SessionRevoked(first.session.id)]
    assert await refused(office.who(second), Unauthenticated) == "session_revoked"
    await refused(office.service.refresh(second.refresh_token), Unauthenticated)


@pytest.mark.parametrize(
    "token", ["", "x", "hbr_" + "x" * 43, "é", "\ud800", "x" * 10**6], ids=range(6)
)
async def test_what_is_no_refresh_token_is_refused(office: Office, token: str) -> None:
    assert await refused(office.service.refresh(token), Unauthenticated) == "refresh_invalid"


async def test_a_login_ends_with_its_thirty_days(office: Office) -> None:
    await office.register()
    login = await office.login()
    office.clock.now += 30 * 86_400
    assert await refused(office.service.refresh(login.refresh_token), Unauthenticated)


async def test_no_token_outlives_its_login(office: Office) -> None:
    await office.register()
    login = await office.login()
    office.clock.now += 30 * 86_400 - 60
    last = await office.service.refresh(login.refresh_token)
    await office.who(last)
    office.clock.now += 60
    assert await refused(office.who(last), Unauthenticated) == "session_revoked"


async def test_logging_out_ends_this_login_and_no_other(office: Office) -> None:
    await office.register()
    phone, laptop = await office.login(), await office.login()
    who = await office.who(phone)
    await office.who(laptop)
    await office.service.logout(phone.session.id, who.id)
    assert office.ended == [SessionRevoked(phone.session.id)]
    assert await refused(office.who(phone), Unauthenticated) == "session_revoked"
    await refused(office.service.refresh(phone.refresh_token), Unauthenticated)
    assert [s.id for s in await office.service.sessions(who.id)] == [laptop.session.id]
    await office.who(laptop)
    await office.service.logout(phone.session.id, who.id)
    assert len(office.ended) == 1


async def test_nobody_ends_somebody_elses_login(office: Office) -> None:
    await office.register("alice")
    bob = await office.register("bob")
    login = await office.login("alice")
    assert not await office.service.revoke(login.session.id, bob.id)
    assert not await office.service.revoke("nothing", bob.id)
    assert office.ended == []
    await office.who(login)


async def test_the_bus_hears_of_it_after_it_was_stored(office: Office) -> None:
    await office.register()
    login = await office.login()
    gate = office.storage.hold("revoke")
    ending = asyncio.create_task(office.service.revoke(login.session.id, login.account.id))
    await gate.reached.wait()
    assert office.ended == []
    gate.open()
    assert await ending
    assert office.ended == [SessionRevoked(login.session.id)]


async def test_what_was_not_stored_is_not_told(office: Office) -> None:
    await office.register()
    login = await office.login()
    office.storage.fail("revoke", Unavailable("down"))
    await refused(office.service.revoke(login.session.id, login.account.id), Unavailable)
    assert office.ended == []
    await office.who(login)


async def test_it_is_told_even_when_whoever_asked_has_gone(office: Office) -> None:
    """Stored and not told, sockets of the ended login would live on."""
    await office.register()
    login = await office.login()
    gate = office.storage.hold("revoke")
    ending = asyncio.create_task(office.service.revoke(login.session.id, login.account.id))
    await gate.reached.wait()
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    gate.open()
    await office.service.close()
    assert office.ended == [SessionRevoked(login.session.id)]


async def test_a_token_of_a_login_nobody_knows_is_refused(office: Office) -> None:
    account = await office.register()
    login = await office.login()
    del office.storage.logins[login.session.id]
    assert await refused(office.who(login), Unauthenticated) == "session_revoked"
    del office.storage.people[account.id]
    await refused(office.who(login), AccountGone)


async def test_a_token_that_names_another_persons_login_is_refused(office: Office) -> None:
    await office.register("alice")
    bob = await office.register("bob")
    login = await office.login("alice")
    tokens = Tokens("a secret of at least thirty-two bytes", "HS256", 30)
    crossed = tokens.mint(bob.id, login.session.id, office.clock())
    assert await refused(office.service.authenticate(crossed), Unauthenticated)


async def test_an_identity_says_until_when_it_counts(office: Office) -> None:
    await office.register()
    login = await office.login()
    identity = await office.service.authenticate(login.access_token)
    assert identity.expires_at == office.clock() + 1800


async def test_many_sockets_of_one_login_read_storage_once(office: Office) -> None:
    await office.register()
    login = await office.login()
    found = await asyncio.gather(*(office.who(login) for _ in range(50)))
    assert len(set(found)) == 1
    assert office.storage.calls["session"] == 1


async def test_a_login_that_ends_while_it_is_looked_up_gets_nobody_in(office: Office) -> None:
    await office.register()
    login = await office.login()
    gate = office.storage.hold("session")
    early = asyncio.create_task(office.who(login))
    await gate.reached.wait()
    await office.service.logout(login.session.id, login.account.id)
    gate.open()
    assert await refused(early, Unauthenticated) == "session_revoked"
    assert await refused(office.who(login), Unauthenticated) == "session_revoked"


ENDINGS: list[Callable[[Office, Login], Awaitable[object]]] = [
    lambda office, login: office.service.logout(login.session.id, login.account.id),
    lambda office, login: office.service.set_disabled(ADMIN, login.account.id, True),
]


@pytest.mark.parametrize("end", ENDINGS)
async def test_another_node_hears_of_it_by_the_bus(
    office: Office, end: Callable[[Office, Login], Awaitable[object]]
) -> None:
    await office.register()
    login = await office.login()
    other = office.another()
    await other.authenticate(login.access_token)
    await end(office, login)
    await refused(other.authenticate(login.access_token), Unauthenticated)


@pytest.mark.parametrize("end", ENDINGS)
async def test_the_node_that_ends_a_login_does_not_wait_for_the_bus(
    office: Office, end: Callable[[Office, Login], Awaitable[object]]
) -> None:
    await office.register()
    login = await office.login()
    office.bus = LateBus()
    office.service = office.another()
    await office.who(login)
    await end(office, login)
    await refused(office.who(login), Unauthenticated)


async def test_a_node_the_bus_forgot_notices_within_a_minute(office: Office) -> None:
    """S4."""
    await office.register()
    login = await office.login()
    await office.who(login)
    await office.storage.revoke(login.session.id, login.account.id)
    office.monotonic.now += 60
    assert await refused(office.who(login), Unauthenticated) == "session_revoked"


async def test_a_closed_service_listens_no_more(office: Office) -> None:
    await office.register()
    login = await office.login()
    other = office.another()
    await other.authenticate(login.access_token)
    await other.close()
    await office.service.logout(login.session.id, login.account.id)
    assert (await other.authenticate(login.access_token)).who.id == login.account.id


async def test_a_ticket_stands_for_the_token_it_was_had_with(office: Office) -> None:
    await office.register()
    login = await office.login()
    identity = await office.service.authenticate(login.access_token)
    ticket = office.service.ticket(identity)
    assert await office.service.redeem(ticket) == identity
    assert await refused(office.service.redeem(ticket), Unauthenticated) == "ticket_invalid"


async def test_a_ticket_of_an_ended_login_is_refused(office: Office) -> None:
    await office.register()
    login = await office.login()
    ticket = office.service.ticket(await office.service.authenticate(login.access_token))
    await office.service.logout(login.session.id, login.account.id)
    assert await refused(office.service.redeem(ticket), Unauthenticated) == "session_revoked"


async def test_a_ticket_does_not_lengthen_a_tokens_life(office: Office) -> None:
    await office.register()
    login = await office.login()
    ticket = office.service.ticket(await office.service.authenticate(login.access_token))
    office.clock.now += 1800
    assert await refused(office.service.redeem(ticket), Unauthenticated) == "token_expired"


async def test_an_identity_can_be_confirmed_until_its_login_ends(office: Office) -> None:
    await office.register()
    login = await office.login()
    identity = await office.service.authenticate(login.access_token)
    assert await office.service.confirm(identity) == identity
    await office.service.logout(login.session.id, login.account.id)
    await refused(office.service.confirm(identity), Unauthenticated)
    guest = replace(identity, who=Who(UserId(-1), "guest-1"))
    await refused(office.service.confirm(guest), Unauthenticated)

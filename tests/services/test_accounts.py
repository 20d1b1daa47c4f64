"""Accounts: who registers, who logs in, and who does not any more."""

import asyncio
from dataclasses import replace

import pytest

from hubbub.auth.passwords import Passwords
from hubbub.core.errors import (
    AccountGone,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from hubbub.core.events import AccountDisabled, NameTaken, SessionRevoked
from hubbub.core.ids import UserId, Who
from tests.support.accounts import ADMIN, CHEAP, HERE, PASSWORD, Office, refused


async def test_somebody_registers_and_logs_in(office: Office) -> None:
    account = await office.service.register("Alice", PASSWORD, "alice@example.com", HERE)
    assert (account.username, account.email) == ("Alice", "alice@example.com")
    assert not account.admin
    login = await office.login("alice")
    assert login.account == account
    assert login.expires_in == 1800
    who = await office.who(login)
    assert (who.id, who.name, who.session) == (account.id, "Alice", login.session.id)


@pytest.mark.parametrize(
    ("name", "password", "email", "code"),
    [
        ("123", PASSWORD, None, "invalid_username"),
        ("guest-1", PASSWORD, None, "invalid_username"),
        ("", PASSWORD, None, "invalid_username"),
        ("alice", "short", None, "weak_password"),
        ("alice", PASSWORD, "nowhere", "invalid_email"),
    ],
)
async def test_what_breaks_a_rule_is_not_registered(
    office: Office, name: str, password: str, email: str | None, code: str
) -> None:
    assert await refused(office.service.register(name, password, email, HERE), Invalid) == code
    assert not office.storage.people


async def test_a_name_is_taken_whatever_its_case(office: Office) -> None:
    await office.register("alice")
    for name in ("alice", "ALICE", "\uff41lice"):
        assert await refused(office.register(name), Conflict) == "username_taken"
    assert office.storage.calls["add_account"] == 1


async def test_two_who_register_one_name_at_once_do_not_both_get_it(office: Office) -> None:
    results = await asyncio.gather(*(office.register() for _ in range(2)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Account", "Conflict"]


async def test_guests_hear_that_their_name_is_taken_whoever_has_given_up_waiting(
    office: Office,
) -> None:
    gate = office.storage.hold("add_account")
    asking = asyncio.create_task(office.register("Carol"))
    await gate.reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gate.open()
    await office.service.close()
    assert office.told == [NameTaken("Carol")]


async def test_a_name_found_to_be_nobodys_is_so_when_that_is_known(office: Office) -> None:
    gate = office.storage.hold("account_by_handle")
    looking = asyncio.create_task(office.service.account_by_handle("carol"))
    await gate.reached.wait()
    carol = await office.register("carol")
    gate.open()
    assert await looking == carol
    assert await office.service.account_by_handle("nobody") is None


async def test_no_password_is_kept(office: Office) -> None:
    await office.register()
    login = await office.login()
    kept = repr(vars(office.storage))
    assert PASSWORD not in kept
    assert login.refresh_token not in kept
    assert login.access_token not in kept


async def test_accounts_are_found_by_id_and_by_any_spelling(office: Office) -> None:
    account = await office.register()
    assert await office.service.account(account.id) == account
    assert await office.service.account_named("\uff21LICE") == account
    assert await refused(office.service.account(UserId(9)), NotFound) == "unknown_user"
    for name in ("bob", "", "\ud800", "x" * 10_000):
        assert await refused(office.service.account_named(name), NotFound) == "unknown_user"


async def test_sample_accounts_are_made_once(office: Office) -> None:
    names = ("testuser", "alice")
    made = await office.service.ensure_sample_accounts(names, "TestPassword123")
    assert [account.username for account in made] == ["testuser", "alice"]
    assert await office.service.ensure_sample_accounts(names, "another one") == made
    assert (await office.login("testuser", "TestPassword123")).account == made[0]


async def test_unknown_wrong_and_disabled_are_told_the_same(office: Office) -> None:
    await office.register("alice")
    bob = await office.register("bob")
    await office.storage.set_disabled(bob.id, True)
    carol = await office.register("carol")
    office.storage.people[carol.id] = replace(carol, password_hash=None)
    said = set()
    for name, password in (
        ("nobody", PASSWORD),
        ("\ud800", PASSWORD),
        ("alice", "wrong password"),
        ("alice", "\ud800"),
        ("bob", PASSWORD),
        ("carol", PASSWORD),
    ):
        with pytest.raises(Unauthenticated) as caught:
            await office.login(name, password)
        said.add((type(caught.value), caught.value.code, str(caught.value)))
    assert said == {(Unauthenticated, "bad_credentials", "wrong username or password")}
    assert not office.storage.logins


async def test_the_sixth_try_is_refused_even_with_the_right_password(office: Office) -> None:
    """S8."""
    await office.register()
    for _ in range(5):
        await refused(office.login("Alice", "wrong password"), Unauthenticated)
    with pytest.raises(TooMany) as caught:
        await office.login()
    assert caught.value.retry_after == 1800
    office.monotonic.now += 1800
    await office.login()


async def test_names_that_nobody_has_run_out_of_tries_as_well(office: Office) -> None:
    for _ in range(5):
        await refused(office.login("nobody"), Unauthenticated)
    await refused(office.login("nobody"), TooMany)


async def test_fifty_failures_shut_an_address_out_and_no_other(office: Office) -> None:
    await office.register()
    for number in range(50):
        await refused(office.login(f"name{number}"), Unauthenticated)
    await refused(office.login(), TooMany)
    assert await office.service.login("alice", PASSWORD, "192.0.2.2")


async def test_tries_at_the_same_time_cannot_slip_past_the_limit(office: Office) -> None:
    await office.register()
    results = await asyncio.gather(
        *(office.login(password=f"wrong password {n}") for n in range(20)), return_exceptions=True
    )
    assert [type(result) for result in results].count(Unauthenticated) == 5
    assert [type(result) for result in results].count(TooMany) == 15


async def test_storage_in_trouble_costs_nobody_a_try(office: Office) -> None:
    await office.register()
    for _ in range(10):
        office.storage.fail("account", Unavailable("down"))
        await refused(office.login(), Unavailable)
    await office.login()


async def test_a_clock_that_jumps_moves_no_limit(office: Office) -> None:
    """R11: only what stands in tokens and sessions follows the wall clock."""
    await office.register()
    for _ in range(5):
        await refused(office.login(password="wrong password"), Unauthenticated)
    office.clock.now += 86_400
    await refused(office.login(), TooMany)


async def test_a_login_is_stored_before_anybody_has_it(office: Office) -> None:
    await office.register()
    gate = office.storage.hold("open_session")
    login = asyncio.create_task(office.login())
    await gate.reached.wait()
    assert not login.done()
    gate.open()
    await login
    office.storage.fail("open_session", Unavailable("down"))
    await refused(office.login(), Unavailable)


async def test_a_hash_of_older_parameters_is_renewed_at_the_next_login(office: Office) -> None:
    older = Passwords(replace(CHEAP, passes=2))
    account = await office.storage.add_account("alice", await older.hash(PASSWORD), None)
    older.close()
    await office.login()
    renewed = office.storage.people[account.id].password_hash
    assert renewed != account.password_hash
    await office.login()
    assert office.storage.people[account.id].password_hash == renewed


async def test_a_wrong_password_renews_nothing(office: Office) -> None:
    older = Passwords(replace(CHEAP, passes=2))
    await office.storage.add_account("alice", await older.hash(PASSWORD), None)
    older.close()
    await refused(office.login(password="wrong password"), Unauthenticated)
    assert office.storage.calls["set_password"] == 0


async def test_an_old_password_opens_nothing_after_it_was_changed(office: Office) -> None:
    """The login has read the account, then the password changes, then the login goes on."""
    await office.register()
    who = await office.who(await office.login())
    gate = office.storage.hold("account")
    late = asyncio.create_task(office.login())
    await gate.reached.wait()
    await office.service.change_password(who, PASSWORD, "another horse")
    gate.open()
    assert await refused(late, Unauthenticated) == "bad_credentials"
    assert [s.id for s in await office.service.sessions(who.id)] == [who.session]


async def test_a_late_renewal_does_not_bring_an_old_password_back(office: Office) -> None:
    older = Passwords(replace(CHEAP, passes=2))
    account = await office.storage.add_account("alice", await older.hash(PASSWORD), None)
    older.close()
    gate = office.storage.hold("account")
    late = asyncio.create_task(office.login())
    await gate.reached.wait()
    newer = await office.passwords.hash("another horse")
    await office.storage.set_password(account.id, newer)
    gate.open()
    await refused(late, Unauthenticated)
    assert office.storage.people[account.id].password_hash == newer


async def test_an_account_disabled_meanwhile_is_not_let_in(office: Office) -> None:
    account = await office.register()
    gate = office.storage.hold("account")
    late = asyncio.create_task(office.login())
    await gate.reached.wait()
    await office.service.set_disabled(ADMIN, account.id, True)
    gate.open()
    await refused(late, Unauthenticated)
    assert not office.storage.logins


async def test_a_new_password_ends_the_other_logins(office: Office) -> None:
    await office.register()
    mine, other, third = [await office.login() for _ in range(3)]
    who = await office.who(mine)
    await office.who(other)
    await office.service.change_password(who, PASSWORD, "another horse")
    assert set(office.ended) == {SessionRevoked(s.session.id) for s in (other, third)}
    assert await refused(office.who(other), Unauthenticated) == "session_revoked"
    await office.who(mine)
    await refused(office.login(), Unauthenticated)
    await office.login(password="another horse")


async def test_without_the_old_password_there_is_no_new_one(office: Office) -> None:
    await office.register()
    who = await office.who(await office.login())
    change = office.service.change_password
    assert await refused(change(who, "wrong password", "x" * 8), Unauthenticated)
    assert await refused(change(who, PASSWORD, "short"), Invalid) == "weak_password"
    await office.login()


async def test_the_old_password_cannot_be_guessed_here_either(office: Office) -> None:
    await office.register()
    who = await office.who(await office.login())
    for _ in range(5):
        await refused(
            office.service.change_password(who, "wrong password", "x" * 8), Unauthenticated
        )
    await refused(office.service.change_password(who, PASSWORD, "x" * 8), TooMany)
    await refused(office.login(), TooMany)


async def test_two_changes_at_once_do_not_both_count(office: Office) -> None:
    await office.register()
    who = await office.who(await office.login())
    results = await asyncio.gather(
        *(office.service.change_password(who, PASSWORD, f"new horse {n}") for n in range(2)),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(Unauthenticated) == 1


async def test_disabling_ends_everything_at_once(office: Office) -> None:
    account = await office.register()
    login = await office.login()
    await office.who(login)
    ticket = office.service.ticket(await office.service.authenticate(login.access_token))
    await office.service.set_disabled(ADMIN, account.id, True)
    assert office.ended == [AccountDisabled(account.id)]
    await refused(office.who(login), AccountGone)
    await refused(office.service.redeem(ticket), AccountGone)
    await refused(office.service.refresh(login.refresh_token), Unauthenticated)
    await refused(office.login(), Unauthenticated)


async def test_enabling_lets_in_again_but_revives_no_login(office: Office) -> None:
    account = await office.register()
    login = await office.login()
    await office.service.set_disabled(ADMIN, account.id, True)
    await refused(office.who(login), AccountGone)
    await office.service.set_disabled(ADMIN, account.id, False)
    assert office.ended == [AccountDisabled(account.id)]
    assert await refused(office.who(login), Unauthenticated) == "session_revoked"
    await office.who(await office.login())


async def test_only_administrators_disable_and_never_themselves(office: Office) -> None:
    alice = await office.register("alice")
    bob = await office.register("bob")
    disable = office.service.set_disabled
    assert await refused(disable(Who(alice.id, "alice", "s"), bob.id, True), Forbidden)
    assert await refused(disable(ADMIN, UserId(77), True), NotFound) == "unknown_user"
    assert await refused(disable(ADMIN, ADMIN.id, True), Conflict) == "own_account"
    assert office.ended == []

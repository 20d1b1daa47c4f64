"""People of an external issuer: known by their subject, and mistaken for nobody."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from hubbub.auth.external import Rules
from hubbub.auth.keysets import SECRET_ALGORITHMS, shared_secret
from hubbub.auth.passwords import Passwords
from hubbub.auth.tokens import Identity, Tokens
from hubbub.auth.usernames import MAX_USERNAME, check_username
from hubbub.bus.memory import MemoryBus
from hubbub.core.errors import AccountGone, Conflict, DomainError, Unauthenticated, Unavailable
from hubbub.core.events import AccountDisabled, NameTaken, Notice
from hubbub.core.ids import UserId, Who
from hubbub.services.accounts import AccountService
from hubbub.services.external import UNNAMED_ISSUER, ExternalPeople, SharedKeys
from tests.support.accounts import ADMIN, CHEAP, HERE, PASSWORD, Clock, FakeAccounts, refused
from tests.support.issuer import NOW, SECRET, simple_jwt, token


class Embassy:
    """An account service that trusts an external issuer, over fakes."""

    def __init__(self) -> None:
        self.storage = FakeAccounts()
        self.bus = MemoryBus()
        self.clock = Clock(NOW)
        self.monotonic = Clock(0.0)
        self.passwords = Passwords(CHEAP)
        self.told: list[Notice] = []
        self.bus.subscribe(lambda _: None, self.told.append)
        self.service = self.another()

    def another(self, issuer: str | None = None, trusting: bool = True) -> AccountService:
        """The service as another node, or another start, of the same server runs it."""
        rules = Rules(
            frozenset(SECRET_ALGORITHMS),
            issuer=issuer,
            subject_claim="user_id",
            role_claim="is_staff",
        )
        keys = SharedKeys(shared_secret(SECRET))
        people = ExternalPeople(self.storage, self.bus, rules, keys, self.monotonic)
        return AccountService(
            self.storage,
            self.bus,
            Tokens("a secret of at least thirty-two bytes", "HS256", 30),
            self.passwords,
            external=people if trusting else None,
            clock=self.clock,
            monotonic=self.monotonic,
        )

    async def arrive(self, user_id: object = 7, **claims: object) -> Identity:
        return await self.service.authenticate(self.token(user_id, **claims))

    def token(self, user_id: Any = 7, **claims: object) -> str:
        return token(simple_jwt(user_id, int(self.clock.now), **claims))


@pytest.fixture
def embassy() -> Iterator[Embassy]:
    made = Embassy()
    yield made
    made.passwords.close()


async def test_somebody_new_gets_an_account(embassy: Embassy) -> None:
    identity = await embassy.arrive(username="Alice")
    assert identity == Identity(Who(UserId(1), "Alice", None, False, "7"), NOW + 300)
    account = embassy.storage.people[UserId(1)]
    assert (account.issuer, account.subject) == (UNNAMED_ISSUER, "7")
    assert (account.password_hash, account.email, account.admin) == (None, None, False)


async def test_somebody_known_is_known_again_whatever_they_are_called_now(embassy: Embassy) -> None:
    first = await embassy.arrive(username="alice")
    again = await embassy.arrive(username="alice cooper")
    elsewhere = await embassy.another().authenticate(embassy.token(username="bob"))
    assert first.who == again.who == elsewhere.who
    assert len(embassy.storage.people) == 1


async def test_a_number_and_its_digits_are_one_subject(embassy: Embassy) -> None:
    assert (await embassy.arrive(7)).who == (await embassy.arrive("7")).who


async def test_subjects_are_compared_to_the_letter(embassy: Embassy) -> None:
    people = {(await embassy.arrive(name)).who.id for name in ("a", "A", "a ", "\uff41", "7", "07")}
    assert len(people) == 6


async def test_nobody_is_taken_for_an_account_that_was_there(embassy: Embassy) -> None:
    alice = await embassy.service.register("alice", PASSWORD, "alice@example.com", HERE)
    for claims in (
        {"username": "alice", "email": "alice@example.com"},
        {"username": "ALICE"},
        {"preferred_username": "\uff41lice"},
    ):
        for subject in (alice.id, "alice", "alice@example.com"):
            found = (await embassy.arrive(subject, **claims)).who
            assert found.id != alice.id
            assert found.name.casefold() != "alice"


async def test_a_name_that_is_taken_gets_a_suffix(embassy: Embassy) -> None:
    await embassy.service.register("alice", PASSWORD, None, HERE)
    names = [(await embassy.arrive(number, username="Alice")).who.name for number in range(20)]
    assert names[:8] == [f"Alice-{number}" for number in range(2, 10)]
    assert len({name.casefold() for name in names}) == 20
    assert all(name.startswith("Alice-") for name in names)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("42", "user-42"),
        ("guest-1", "user-guest-1"),
        (" alice\u200b ", "alice"),
        ("\uff41lice", "alice"),
        ("\u0000", "user-7"),
        ("x" * 300, "x" * 40),
        (None, "user-7"),
    ],
)
async def test_a_name_that_is_none_becomes_one(
    embassy: Embassy, wanted: str | None, name: str
) -> None:
    claims = {} if wanted is None else {"username": wanted}
    assert (await embassy.arrive(7, **claims)).who.name == name


@pytest.mark.parametrize("wanted", ["1" * 64, "guest-" * 20, "\ufdfa" * 64, "x" * 40 + " y"])
async def test_with_any_suffix_a_name_is_one_that_can_be_registered(
    embassy: Embassy, wanted: str
) -> None:
    for number in range(12):
        name = (await embassy.arrive(number, username=wanted)).who.name
        assert check_username(name) == name
        assert len(name) <= MAX_USERNAME


async def test_many_first_sights_at_once_make_one_account(embassy: Embassy) -> None:
    other = embassy.another()
    found = await asyncio.gather(
        *(embassy.arrive(username="alice") for _ in range(20)),
        *(other.authenticate(embassy.token()) for _ in range(20)),
    )
    assert {identity.who.id for identity in found} == {1}
    assert len(embassy.storage.people) == 1


async def test_a_first_sight_that_fails_is_tried_again(embassy: Embassy) -> None:
    embassy.storage.fail("external_account", Unavailable("down"))
    assert await refused(embassy.arrive(), Unavailable) == "unavailable"
    assert (await embassy.arrive()).who.subject == "7"


async def test_storage_is_read_once_for_many_tokens(embassy: Embassy) -> None:
    await embassy.arrive()
    before = embassy.storage.calls.copy()
    for _ in range(10):
        await embassy.arrive()
    assert embassy.storage.calls == before


async def test_who_administers_is_said_by_each_token(embassy: Embassy) -> None:
    assert (await embassy.arrive(is_staff=True)).who.admin
    assert not (await embassy.arrive(is_staff=False)).who.admin
    assert (await embassy.arrive(is_staff="admin")).who.admin
    assert not embassy.storage.people[UserId(1)].admin


async def test_a_disabled_account_comes_in_no_more_until_it_is_enabled(embassy: Embassy) -> None:
    node = embassy.another()
    identity = await embassy.arrive()
    await node.authenticate(embassy.token())
    ticket = embassy.service.ticket(identity)
    await embassy.service.set_disabled(ADMIN, identity.who.id, True)
    assert embassy.told[1:] == [AccountDisabled(identity.who.id)]
    for work in (
        embassy.arrive(),
        embassy.service.confirm(identity),
        embassy.service.redeem(ticket),
        node.authenticate(embassy.token()),
    ):
        assert await refused(work, AccountGone) == "account_gone"
    await embassy.service.set_disabled(ADMIN, identity.who.id, False)
    assert (await embassy.arrive()).who == identity.who


async def test_a_look_up_older_than_the_disabling_lets_nobody_in(embassy: Embassy) -> None:
    identity = await embassy.arrive()
    node = embassy.another()
    gate = embassy.storage.hold("account_by_subject")
    asking = asyncio.create_task(node.authenticate(embassy.token()))
    await gate.reached.wait()
    await embassy.service.set_disabled(ADMIN, identity.who.id, True)
    gate.open()
    assert await refused(asking, AccountGone) == "account_gone"


async def test_a_ticket_stands_for_whoever_got_it_until_their_token_ends(embassy: Embassy) -> None:
    identity = await embassy.arrive(is_staff=True)
    assert await embassy.service.redeem(embassy.service.ticket(identity)) == identity
    ticket = embassy.service.ticket(identity)
    embassy.clock.now += 300
    assert await refused(embassy.service.redeem(ticket), Unauthenticated) == "token_expired"


async def test_our_own_tokens_count_as_before(embassy: Embassy) -> None:
    await embassy.service.register("alice", PASSWORD, None, HERE)
    login = await embassy.service.login("alice", PASSWORD, HERE)
    identity = await embassy.service.authenticate(login.access_token)
    assert (identity.who.session, identity.who.subject) == (login.session.id, None)
    assert await embassy.service.confirm(identity) == identity
    embassy.clock.now += 1800
    expired = embassy.service.authenticate(login.access_token)
    assert await refused(expired, Unauthenticated) == "token_expired"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": NOW - 1}, "token_expired"),
        ({"token_type": "refresh"}, "token_invalid"),
        ({"user_id": None}, "token_invalid"),
        ({"iss": "hubbub"}, "token_invalid"),
    ],
)
async def test_a_token_that_does_not_count_makes_nobody(
    embassy: Embassy, claims: dict[str, Any], code: str
) -> None:
    made = token({**simple_jwt(7), **claims})
    assert await refused(embassy.service.authenticate(made), Unauthenticated) == code
    assert embassy.storage.calls.total() == 0


async def test_without_a_trusted_issuer_nobody_comes_from_one(embassy: Embassy) -> None:
    identity = await embassy.arrive()
    service = embassy.another(trusting=False)
    bad = service.authenticate(embassy.token())
    assert await refused(bad, Unauthenticated) == "token_invalid"
    assert await refused(service.confirm(identity), Unauthenticated) == "session_revoked"


async def test_people_of_two_issuers_are_two_people(embassy: Embassy) -> None:
    first = await embassy.arrive(username="alice")
    later = embassy.another("https://issuer.example")
    second = await later.authenticate(embassy.token(iss="https://issuer.example", name="alice"))
    assert first.who.id != second.who.id
    assert second.who.name == "alice-2"


async def test_who_has_no_password_neither_logs_in_with_one_nor_changes_it(
    embassy: Embassy,
) -> None:
    who = (await embassy.arrive(username="alice")).who
    login = embassy.service.login("alice", PASSWORD, HERE)
    assert await refused(login, Unauthenticated) == "bad_credentials"
    change = embassy.service.change_password(who, PASSWORD, "another password")
    assert await refused(change, Conflict) == "no_password"
    assert await embassy.service.sessions(who.id) == []


async def test_a_handle_is_a_subject_before_it_is_a_username(embassy: Embassy) -> None:
    bob = await embassy.service.register("bob", PASSWORD, None, HERE)
    alice = (await embassy.arrive("bob", username="alice")).who
    seven = (await embassy.arrive(7, username="carol")).who
    found = [
        None if account is None else account.id
        for handle in ("bob", "BOB", "alice", "7", str(bob.id), str(seven.id))
        for account in [await embassy.service.account_by_handle(handle)]
    ]
    assert found == [alice.id, bob.id, alice.id, seven.id, None, None]
    alone = embassy.another(trusting=False)
    account = await alone.account_by_handle("bob")
    assert account is not None
    assert account.id == bob.id
    assert await alone.account_by_handle("7") is None


async def test_a_subject_is_nobody_elses_username(embassy: Embassy) -> None:
    await embassy.arrive("alice", username="boss")
    register = embassy.service.register("alice", PASSWORD, None, HERE)
    assert await refused(register, Conflict) == "username_taken"
    other = (await embassy.arrive(8, username="alice")).who
    assert (other.name, other.person.handle) == ("alice-2", "8")
    assert (await embassy.arrive("carol")).who.name == "carol", "unless it is their own"


async def test_an_account_called_like_a_new_subject_is_called_otherwise_from_then_on(
    embassy: Embassy,
) -> None:
    bob = await embassy.service.register("bob", PASSWORD, None, HERE)
    login = await embassy.service.login("bob", PASSWORD, HERE)
    before = await embassy.service.authenticate(login.access_token)
    assert before.who.person.handle == "bob"
    new = (await embassy.arrive("bob", username="boss")).who
    assert embassy.told[-1] == NameTaken("boss", "bob", bob.id)
    after = await embassy.service.authenticate(login.access_token)
    assert (after.who.id, after.who.name) == (bob.id, "bob")
    assert after.who.person.handle == "hubbub:bob"
    assert (await embassy.service.confirm(before)).who == after.who
    found = [await embassy.service.account_by_handle(name) for name in ("bob", "hubbub:bob")]
    assert [account and account.id for account in found] == [new.id, bob.id]
    # What their login is called stays.
    assert (await embassy.service.login("bob", PASSWORD, HERE)).account.id == bob.id


async def test_of_a_first_sight_everybody_is_told_whoever_has_given_up_waiting(
    embassy: Embassy,
) -> None:
    gate = embassy.storage.hold("external_account")
    asking = asyncio.create_task(embassy.arrive(username="alice"))
    await gate.reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gate.open()
    await embassy.service.close()
    assert embassy.told == [NameTaken("alice", "7")]


async def test_a_username_is_no_handle_of_whoever_has_a_subject(embassy: Embassy) -> None:
    await embassy.arrive(7, username="alice")
    account = await embassy.service.account_by_handle("alice")
    assert account is not None
    assert [account.is_called(name) for name in ("alice", "7")] == [False, True]


class NoKeys:
    """`Keys` of an issuer that cannot be asked."""

    def __init__(self) -> None:
        self.closed = False

    async def get(self, algorithm: str, kid: str | None) -> Any:
        raise Unavailable("down", "issuer_unavailable")

    async def close(self) -> None:
        self.closed = True


async def test_an_issuer_that_cannot_be_asked_is_no_fault_of_the_token(embassy: Embassy) -> None:
    keys = NoKeys()
    rules = Rules(frozenset({"HS256"}), subject_claim="user_id")
    people = ExternalPeople(embassy.storage, embassy.bus, rules, keys, embassy.monotonic)
    asked: type[DomainError] = Unavailable
    made = embassy.token()
    assert await refused(people.authenticate(made, embassy.clock), asked) == "issuer_unavailable"
    # What can be none of the issuer's asks nobody for keys.
    other = people.authenticate(token(simple_jwt(7), "HS512"), embassy.clock)
    assert await refused(other, Unauthenticated) == "token_invalid"
    await people.close()
    assert keys.closed

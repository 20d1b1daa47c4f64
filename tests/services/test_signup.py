"""Coming in by e-mail: codes, verifications, a username, logins."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hubbub.auth.codes import CodeLimits, Codes
from hubbub.auth.passwords import Passwords
from hubbub.auth.tokens import Tokens
from hubbub.bus.memory import MemoryBus
from hubbub.core.errors import (
    AccountGone,
    Conflict,
    Forbidden,
    Invalid,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from hubbub.core.events import NameTaken, Notice
from hubbub.core.ids import Who
from hubbub.services.accounts import AccountService, Login
from hubbub.services.signup import Signup
from hubbub.storage.base import CODE_SECONDS
from hubbub.storage.sqlite import SqliteStorage
from tests.support.accounts import CHEAP, HERE, PASSWORD, Clock, refused
from tests.support.mail import FakeMailer, until

A = "alice@example.org"
B = "bob@example.org"


class Watched:
    """A storage that remembers what it was asked for."""

    def __init__(self, storage: SqliteStorage) -> None:
        self.storage = storage
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.storage, name)


class Desk:
    """A `Signup` over a real database, a clock that is told, and mail that can be read."""

    def __init__(self, storage: SqliteStorage, clock: Clock, **options: Any) -> None:
        self.storage = storage
        self.clock = clock
        self.mailer = FakeMailer()
        self.passwords = Passwords(CHEAP)
        tokens = Tokens("a secret of at least thirty-two bytes", "HS256", 30)
        bus = MemoryBus()
        self.told: list[Notice] = []
        bus.subscribe(lambda _: None, self.told.append)
        self.accounts = AccountService(storage, bus, tokens, self.passwords, clock=clock)
        self.signup = self.another(**options)

    def another(self, **options: Any) -> Signup:
        given = {
            "storage": self.storage,
            "mailer": self.mailer,
            "limits": CodeLimits(self.clock),
            **options,
        }
        return Signup(accounts=self.accounts, codes=Codes("secret"), monotonic=self.clock, **given)

    async def close(self) -> None:
        self.mailer.release()
        await self.signup.close()
        await self.accounts.close()
        self.passwords.close()

    async def code(self, address: str = A, number: int = 1) -> str:
        """A new code for an address, as it was mailed."""
        await self.signup.send_code(address, HERE)
        return await self.mailer.code(address, number)

    async def register(self, address: str = A, username: str = "alice") -> str:
        """Makes the account of an address; the verification, unused for logins, comes back."""
        token = await self.signup.verify(address, await self.code(address), HERE)
        await self.signup.set_username(address, username, token, HERE)
        # The letter with the name has arrived.
        await until(lambda: len(self.mailer.to(address)) == 2)
        return token

    async def login(self, address: str = A, **proof: str) -> Login:
        return await self.signup.login(address, HERE, **proof)


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[Desk]:
    clock = Clock()
    storage = await SqliteStorage.open(
        folder / "db", lambda _: None, clock=clock, synchronous="NORMAL"
    )
    desk = Desk(storage, clock, **options)
    try:
        yield desk
    finally:
        await desk.close()
        await storage.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(tmp_path) as desk:
        yield desk


async def test_somebody_signs_up_and_logs_in(desk: Desk) -> None:
    token = await desk.register()
    login = await desk.login(verification=token)
    assert login.account.username == "alice"
    assert login.account.password_hash is None
    who = (await desk.accounts.authenticate(login.access_token)).who
    assert (who.id, who.name) == (login.account.id, "alice")
    assert [mail.subject for mail in desk.mailer.to(A)] == ["Your code", "Your username"]
    assert "alice" in desk.mailer.to(A)[1].text


async def test_a_verification_logs_in_once(desk: Desk) -> None:
    token = await desk.register()
    await desk.login(verification=token)
    assert await refused(desk.login(verification=token), Unauthenticated) == "code_needed"


async def test_a_known_address_logs_in_by_a_code_it_is_sent(desk: Desk) -> None:
    await desk.register()
    assert await refused(desk.login(), Unauthenticated) == "code_needed"
    code = await desk.mailer.code(A, 3)
    assert (await desk.login(code=code)).account.username == "alice"
    assert await refused(desk.login(code=code), Unauthenticated) == "bad_code"


async def test_the_case_of_an_address_does_not_matter(desk: Desk) -> None:
    token = await desk.signup.verify(A.upper(), await desk.code("Alice@Example.org"), HERE)
    await desk.signup.set_username("ALICE@example.org", "alice", token, HERE)
    assert (await desk.login(verification=token)).account.email == "ALICE@example.org"


async def test_a_verification_is_needed_and_only_of_this_address(desk: Desk) -> None:
    other = await desk.signup.verify(B, await desk.code(B), HERE)
    await desk.code(A)
    for token in (None, "", "nonsense", "\ud800", other):
        name = desk.signup.set_username(A, "alice", token, HERE)
        assert await refused(name, Unauthenticated) == "not_verified"
    assert await desk.storage.account("alice") is None


async def test_before_a_username_there_is_no_login(desk: Desk) -> None:
    code = await desk.code()
    assert await refused(desk.login(code=code), Conflict) == "no_username"
    token = await desk.signup.verify(A, code, HERE)
    assert await refused(desk.login(verification=token), Conflict) == "no_username"
    await desk.signup.set_username(A, "alice", token, HERE)
    assert (await desk.login(verification=token)).account.username == "alice"


async def test_a_username_is_set_once_and_belongs_to_one(desk: Desk) -> None:
    token = await desk.register()
    again = desk.signup.set_username(A, "other", token, HERE)
    assert await refused(again, Conflict) == "username_set"
    token = await desk.signup.verify(B, await desk.code(B), HERE)
    taken = desk.signup.set_username(B, "ALICE", token, HERE)
    assert await refused(taken, Conflict) == "username_taken"
    bad = desk.signup.set_username(B, "guest-1", token, HERE)
    assert await refused(bad, Invalid) == "invalid_username"
    await desk.storage.external_account("issuer", "boss", ["dora"])
    subject = desk.signup.set_username(B, "boss", token, HERE)
    assert await refused(subject, Conflict) == "username_taken"
    await desk.signup.set_username(B, "bob", token, HERE)
    assert desk.told == [NameTaken("alice"), NameTaken("bob")]


async def test_codes_and_verifications_last_ten_minutes(desk: Desk) -> None:
    code = await desk.code()
    desk.clock.now += CODE_SECONDS
    assert await refused(desk.signup.verify(A, code, HERE), Unauthenticated) == "bad_code"
    token = await desk.signup.verify(A, await desk.code(A, 2), HERE)
    desk.clock.now += CODE_SECONDS
    late = desk.signup.set_username(A, "alice", token, HERE)
    assert await refused(late, Unauthenticated) == "not_verified"


@pytest.mark.system
async def test_of_ten_thousand_guesses_five_are_evaluated(desk: Desk) -> None:
    code = await desk.code()
    wrong = "000000" if code != "000000" else "111111"
    guesses = [wrong] * 5 + [code] * 9_995
    answers = set()
    signup = desk.another(login_failures=0)
    for start in range(0, len(guesses), 500):
        for answer in await asyncio.gather(
            *(signup.verify(A, guess, HERE) for guess in guesses[start : start + 500]),
            return_exceptions=True,
        ):
            assert isinstance(answer, Unauthenticated)
            answers.add((answer.code, answer.message))
    assert answers == {("bad_code", "the code is wrong or not good any more")}


async def test_wrong_codes_run_out_per_asker_whatever_the_address(desk: Desk) -> None:
    code = await desk.code()
    for number in range(50):
        guess = desk.signup.verify(f"{number}@example.org", "123456", HERE)
        assert await refused(guess, Unauthenticated) == "bad_code"
    with pytest.raises(TooMany) as caught:
        await desk.signup.verify(A, code, HERE)
    assert caught.value.retry_after == 30 * 60
    assert await refused(desk.login(code=code), TooMany) == "rate_limited"
    assert await desk.signup.verify(A, code, "198.51.100.1")


async def test_the_sixth_code_in_an_hour_is_refused_to_known_and_unknown_alike(desk: Desk) -> None:
    await desk.register()
    for _ in range(4):
        await refused(desk.login(), Unauthenticated)
    for _ in range(5):
        await refused(desk.login(B), Unauthenticated)
    waits = []
    for address in (A, B):
        with pytest.raises(TooMany) as caught:
            await desk.login(address)
        waits.append(caught.value.retry_after)
        assert await refused(desk.signup.send_code(address, HERE), TooMany) == "rate_limited"
    assert waits == [3600, 3600]


async def test_a_login_without_proof_is_answered_alike_and_mails_the_known_alone(
    desk: Desk,
) -> None:
    await desk.register()
    await desk.accounts.register("carol", PASSWORD, "carol@example.org", HERE)
    sentences = set()
    for address in (A, B, "carol@example.org"):
        for verification in (None, "hbv_nonsense"):
            with pytest.raises(Unauthenticated) as caught:
                await desk.signup.login(address, HERE, verification=verification)
            sentences.add((caught.value.code, caught.value.message))
    assert len(sentences) == 1
    await desk.signup.close()
    assert len(desk.mailer.to(A)) == 4
    assert desk.mailer.to(B) == desk.mailer.to("carol@example.org") == []


async def test_a_login_without_proof_is_answered_before_anything_is_looked_up(desk: Desk) -> None:
    await desk.register()
    found = asyncio.Event()

    class Late(Watched):
        async def put_code(self, *given: Any, **more: Any) -> bool:
            await found.wait()
            return await self.storage.put_code(*given, **more)

    desk.signup = desk.another(storage=Late(desk.storage))
    for address in (A, B):
        assert await refused(desk.login(address), Unauthenticated) == "code_needed"
    found.set()
    assert await desk.mailer.code(A, 3)


async def test_how_long_mail_takes_shows_nowhere(desk: Desk) -> None:
    desk.mailer.hold()
    await desk.signup.send_code(A, HERE)
    assert desk.mailer.letters == []
    desk.mailer.release()
    assert await desk.mailer.code(A)


async def test_the_same_is_done_for_known_and_unknown_before_the_answer(desk: Desk) -> None:
    """What each of these does in the database is the same as well: tests/storage/test_emails.py."""
    await desk.register()
    watched = Watched(desk.storage)
    desk.signup = desk.another(storage=watched)
    asked: list[Callable[[str], Coroutine[Any, Any, object]]] = [
        lambda address: desk.signup.send_code(address, HERE),
        lambda address: desk.signup.verify(address, "wrong", HERE),
        lambda address: desk.signup.login(address, HERE, code="wrong"),
        lambda address: desk.signup.login(address, HERE, verification="hbv_wrong"),
        lambda address: desk.signup.set_username(address, "name", "hbv_wrong", HERE),
    ]
    for ask in asked:
        done = []
        for address in (A, B):
            watched.calls.clear()
            with suppress(Unauthenticated):
                await ask(address)
            done.append(tuple(watched.calls))
            await desk.signup.close()
        assert done[0] == done[1]
        assert done[0]


async def test_a_letter_that_cannot_be_sent_is_logged_without_its_words(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.mailer.failing = True
    await desk.signup.send_code(A, HERE)
    await desk.signup.close()
    assert "the mail server is away" in caplog.text
    desk.mailer.failing, desk.mailer.broken = False, True
    await desk.signup.send_code(A, HERE)
    await desk.signup.close()
    assert "nobody foresaw this" in caplog.text
    assert "Code" not in caplog.text
    assert A not in caplog.text
    desk.mailer.broken = False
    assert await desk.code()


async def test_too_much_mail_under_way_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.services.outgoing.MOST_WAITING", 2)
    desk.mailer.hold()
    await desk.signup.send_code(A, HERE)
    await desk.signup.send_code(A, HERE)
    assert await refused(desk.signup.send_code(B, HERE), Unavailable) == "mail_unavailable"
    desk.mailer.release()
    await until(lambda: len(desk.mailer.letters) == 2)
    await desk.signup.send_code(B, HERE)


async def test_mail_that_never_leaves_does_not_hold_the_server_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.services.outgoing.GRACE", 0.01)
    desk.mailer.hold()
    await desk.signup.send_code(A, HERE)
    async with asyncio.timeout(10):
        await desk.signup.close()
    assert desk.mailer.letters == []


async def test_a_letter_that_waits_for_nothing_has_left_before_the_answer(desk: Desk) -> None:
    await desk.signup.send_code(A, HERE)
    assert len(desk.mailer.letters) == 1


async def test_without_mail_there_is_no_code_and_no_login(tmp_path: Path) -> None:
    async with opened(tmp_path, mailer=None) as desk:
        assert await refused(desk.signup.send_code(A, HERE), Unavailable) == "mail_unavailable"
        for _ in range(30):
            assert await refused(desk.login(), Unauthenticated) == "code_needed"


async def test_an_address_that_is_none_is_refused_everywhere(desk: Desk) -> None:
    bad = "a@example.org,b@example.org"
    for work in (
        desk.signup.send_code(bad, HERE),
        desk.signup.verify(bad, "123456", HERE),
        desk.signup.set_username(bad, "alice", None, HERE),
        desk.login(bad),
    ):
        assert await refused(work, Invalid) == "invalid_email"


async def test_a_disabled_account_has_no_login(desk: Desk) -> None:
    token = await desk.register()
    account = await desk.accounts.account_named("alice")
    await desk.storage.set_disabled(account.id, True)
    assert await refused(desk.login(verification=token), AccountGone) == "account_gone"


async def test_an_account_made_here_has_no_password(desk: Desk) -> None:
    await desk.register()
    for password in ("", PASSWORD):
        login = desk.accounts.login("alice", password, HERE)
        assert await refused(login, Unauthenticated) == "bad_credentials"


async def test_a_password_account_is_joined_by_whoever_is_logged_in_and_has_the_code(
    desk: Desk,
) -> None:
    carol = await desk.accounts.register("carol", PASSWORD, None, HERE)
    who = Who(carol.id, "carol")
    code = await desk.code(A)
    wrong = "000000" if code != "000000" else "111111"
    assert await refused(desk.signup.join(who, A, wrong, HERE), Unauthenticated) == "bad_code"
    await desk.signup.join(who, A, code, HERE)
    code = await desk.code(A, 2)
    assert (await desk.login(code=code)).account.id == carol.id
    assert (await desk.accounts.login("carol", PASSWORD, HERE)).account.email == A


async def test_an_address_of_somebody_else_is_not_joined(desk: Desk) -> None:
    token = await desk.register()
    carol = await desk.accounts.register("carol", PASSWORD, A, HERE)
    join = desk.signup.join(Who(carol.id, "carol"), A, await desk.code(A, 3), HERE)
    assert await refused(join, Conflict) == "email_taken"
    assert (await desk.login(verification=token)).account.username == "alice"


async def test_people_of_another_issuer_have_no_login_here(desk: Desk) -> None:
    account, _ = await desk.storage.external_account("issuer", "subject", ["dora"])
    who = Who(account.id, account.username)
    code = await desk.code()
    for work in (desk.signup.send_join_code(who, A, HERE), desk.signup.join(who, A, code, HERE)):
        assert await refused(work, Forbidden) == "external_account"
    assert await refused(desk.login(code=code), Conflict) == "no_username"


async def test_in_development_an_address_that_was_verified_is_proof_enough(tmp_path: Path) -> None:
    async with opened(tmp_path, trusting=True) as desk:
        assert await refused(desk.login(), Unauthenticated) == "code_needed"
        early = desk.signup.set_username(A, "alice", None, HERE)
        assert await refused(early, Unauthenticated) == "not_verified"
        await desk.signup.verify(A, await desk.code(), HERE)
        assert await refused(desk.login(), Conflict) == "no_username"
        await desk.signup.set_username(A, "alice", None, HERE)
        desk.clock.now += 7200
        for _ in range(2):
            assert (await desk.login()).account.username == "alice"
        again = desk.signup.set_username(A, "other", None, HERE)
        assert await refused(again, Conflict) == "username_set"
        # A wrong code is wrong all the same.
        assert await refused(desk.login(code="x"), Unauthenticated) == "bad_code"

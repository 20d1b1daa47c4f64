"""Accounts over REST: one's own, others', and an administrator's view of them."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request

from hubbub.core.ids import MAX_INTEGER, UserId
from hubbub.web.bodies import StrictRoute
from hubbub.web.deps import Admin, Caller, Use, client_address
from hubbub.web.schemas import (
    AccountAnswer,
    DisabledBody,
    EmailBody,
    EmailCodeBody,
    Me,
    Outcome,
    User,
    account_answer,
)

router = APIRouter(prefix="/api/v1", tags=["people"], route_class=StrictRoute)


@router.get("/me", response_model=Me)
async def read_me(use: Use, who: Caller) -> AccountAnswer:
    """The caller's account."""
    # Whether somebody of an external issuer administers is said by their token alone.
    return account_answer(replace(await use.accounts.account(who.id), admin=who.admin))


@router.post("/me/email", status_code=202)
async def add_email(use: Use, who: Caller, body: EmailBody, request: Request) -> Outcome:
    """Sends a code to an address that is to be the caller's. The answer is the same for every
    address."""
    await use.signup.send_join_code(who, body.email, client_address(request))
    return Outcome(message="a code is on its way to this address")


@router.post("/me/email/verify", response_model=Me)
async def verify_email(
    use: Use, who: Caller, body: EmailCodeBody, request: Request
) -> AccountAnswer:
    """Gives an address to the caller's account: whoever reads its mail can log in as the caller."""
    await use.signup.join(who, body.email, body.otp, client_address(request))
    return account_answer(await use.accounts.account(who.id))


@router.get("/users/{username}")
async def read_user(use: Use, _: Caller, username: str) -> User:
    """Somebody by their username."""
    account = await use.accounts.account_named(username)
    return User(id=account.id, name=account.username)


@router.patch("/admin/users/{user_id}")
async def edit_user(
    use: Use,
    who: Admin,
    user_id: Annotated[int, Path(ge=1, le=MAX_INTEGER)],
    body: DisabledBody,
) -> AccountAnswer:
    """Disables or enables an account. For administrators."""
    await use.accounts.set_disabled(who, UserId(user_id), body.disabled)
    return account_answer(await use.accounts.account(UserId(user_id)))

"""Accounts over REST: one's own, others', and an administrator's view of them."""

from typing import Annotated

from fastapi import APIRouter, Path

from hubbub.core.ids import MAX_INTEGER, UserId
from hubbub.web.bodies import StrictRoute
from hubbub.web.deps import Admin, Caller, Use
from hubbub.web.schemas import AccountAnswer, DisabledBody, Me, User, account_answer

router = APIRouter(prefix="/api/v1", tags=["people"], route_class=StrictRoute)


@router.get("/me", response_model=Me)
async def read_me(use: Use, who: Caller) -> AccountAnswer:
    """The caller's account."""
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

"""Document 003: signing up and logging in by e-mail.

The document's own clients send no proof with `set-username` and `login`, and need none in
development mode. Elsewhere they carry the verification that `verify-otp` gave, as browsers do by
themselves: it is also a cookie, for these routes only.
"""

from typing import Annotated

from fastapi import APIRouter, Cookie, Depends, Request, Response

from hubbub.core.errors import Forbidden
from hubbub.storage.base import CODE_SECONDS
from hubbub.web.api.auth import cookie_path, logged_in, secure
from hubbub.web.bodies import StrictRoute
from hubbub.web.deps import Services, Use, client_address
from hubbub.web.schemas import EmailBody, EmailCodeBody, Outcome, Password, TokenAnswer

router = APIRouter(prefix="/api/auth", tags=["login"], route_class=StrictRoute)

COOKIE = "hubbub_verification"
COOKIE_PATH = "/api/auth"

Kept = Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)]


class Verified(Outcome):
    """The code was right. The verification is good for ten minutes, one username and one login."""

    verification_token: str


class NameBody(EmailBody):
    """The name to have; `verification_token`, unless the cookie carries it."""

    username: str
    verification_token: Password | None = None


class EmailLoginBody(EmailBody):
    """What proves who is asking: a new code as `otp`, or `verification_token`, unless the cookie
    carries it."""

    otp: Password | None = None
    verification_token: Password | None = None


async def registration(use: Use) -> Services:
    """The services, where anybody may make an account.

    Raises:
        Forbidden: `registration_closed`.
    """
    if use.settings.registration == "closed":
        raise Forbidden("accounts are made by the administrators here", "registration_closed")
    return use


Registration = Annotated[Services, Depends(registration)]


@router.post("/signup")
async def sign_up(use: Registration, body: EmailBody, request: Request) -> Outcome:
    """Sends a code to an address. The answer is the same for every address."""
    await use.signup.send_code(body.email, client_address(request))
    return Outcome(message="OTP sent to your email")


@router.post("/verify-otp")
async def verify_code(
    use: Use, body: EmailCodeBody, request: Request, response: Response
) -> Verified:
    """Exchanges a code for a verification: in the answer, and as a cookie for `/api/auth`."""
    token = await use.signup.verify(body.email, body.otp, client_address(request))
    response.set_cookie(
        COOKIE,
        token,
        max_age=CODE_SECONDS,
        path=cookie_path(request, COOKIE_PATH),
        secure=secure(request),
        httponly=True,
        samesite="lax",
    )
    return Verified(message="OTP verified successfully", verification_token=token)


@router.post("/set-username")
async def set_username(
    use: Registration, body: NameBody, request: Request, cookie: Kept = None
) -> Outcome:
    """Makes the account of a verified address. Once."""
    token = body.verification_token or cookie
    await use.signup.set_username(body.email, body.username, token, client_address(request))
    return Outcome(message="Username set successfully")


@router.post("/login")
async def log_in_by_email(
    use: Use, body: EmailLoginBody, request: Request, response: Response, cookie: Kept = None
) -> TokenAnswer:
    """Gives tokens for an address that is verified, or by a code. Without proof a known address is
    sent a code, and the answer is the same for all of them."""
    login = await use.signup.login(
        body.email,
        client_address(request),
        code=body.otp,
        verification=body.verification_token or cookie,
    )
    if cookie is not None:
        response.delete_cookie(
            COOKIE,
            cookie_path(request, COOKIE_PATH),
            secure=secure(request),
            httponly=True,
            samesite="lax",
        )
    return logged_in(login, request, response)

"""Logging in and out: every door gives the same tokens."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Cookie, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from hubbub.auth.tickets import LIFETIME
from hubbub.auth.tokens import Identity
from hubbub.core.errors import NotFound, Unauthenticated
from hubbub.services.accounts import Login
from hubbub.web.bodies import StrictRoute, read_fields
from hubbub.web.deps import Caller, Use, client_address, current
from hubbub.web.schemas import (
    Credentials,
    PasswordBody,
    RefreshBody,
    SessionAnswer,
    TicketAnswer,
    TokenAnswer,
    session_answer,
)

doors = APIRouter(tags=["login"], route_class=StrictRoute)
router = APIRouter(prefix="/api/v1", tags=["login"], route_class=StrictRoute)

COOKIE = "hubbub_refresh"
COOKIE_PATH = "/api/v1/auth"

_FORM_OR_JSON: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": Credentials.model_json_schema()}
            for kind in ("application/x-www-form-urlencoded", "application/json")
        },
    }
}


async def credentials(request: Request) -> Credentials:
    """What a login form or its JSON twin says."""
    try:
        return Credentials.model_validate(await read_fields(request))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


Given = Annotated[Credentials, Depends(credentials)]


@doors.post("/api/token", openapi_extra=_FORM_OR_JSON)
@doors.post("/auth/token", openapi_extra=_FORM_OR_JSON, operation_id="log_in_conversations")
@router.post("/auth/login", openapi_extra=_FORM_OR_JSON, operation_id="log_in_native")
async def log_in(use: Use, given: Given, request: Request, response: Response) -> TokenAnswer:
    """Gives tokens for a username and password, sent as a form or as JSON."""
    login = await use.accounts.login(given.username, given.password, client_address(request))
    return logged_in(login, request, response)


@router.post("/auth/refresh")
async def refresh_tokens(
    use: Use,
    request: Request,
    response: Response,
    body: RefreshBody | None = None,
    cookie: Annotated[str | None, Cookie(alias=COOKIE, include_in_schema=False)] = None,
) -> TokenAnswer:
    """Gives new tokens for a refresh token, which is used up: it comes in the body or, from
    browsers, in the cookie of the login."""
    token = body.refresh_token if body is not None else cookie
    if not token:
        raise Unauthenticated("a refresh token is needed", "token_missing")
    return logged_in(await use.accounts.refresh(token), request, response)


@router.post("/auth/logout", status_code=204)
async def log_out(use: Use, who: Caller, request: Request) -> Response:
    """Ends the login this token belongs to, and closes its sockets."""
    if who.session is not None:
        await use.accounts.logout(who.session, who.id)
    response = Response(status_code=204)
    response.delete_cookie(
        COOKIE,
        cookie_path(request, COOKIE_PATH),
        secure=secure(request),
        httponly=True,
        samesite="strict",
    )
    return response


@router.put("/auth/password", status_code=204)
async def change_password(use: Use, who: Caller, body: PasswordBody) -> None:
    """Changes the password and ends every other login."""
    await use.accounts.change_password(who, body.current_password, body.new_password)


@router.get("/sessions")
async def list_sessions(use: Use, who: Caller) -> list[SessionAnswer]:
    """The caller's logins."""
    return [session_answer(s, who.session) for s in await use.accounts.sessions(who.id)]


@router.delete("/sessions/{session}", status_code=204)
async def end_session(use: Use, who: Caller, session: str) -> None:
    """Ends one of the caller's logins, and closes its sockets."""
    if not await use.accounts.revoke(session, who.id):
        raise NotFound("there is no such session", "unknown_session")


@router.post("/tickets", status_code=201)
async def make_ticket(use: Use, identity: Annotated[Identity, Depends(current)]) -> TicketAnswer:
    """A ticket for one WebSocket, so that no token has to stand in a URL."""
    return TicketAnswer(ticket=use.accounts.ticket(identity), expires_in=LIFETIME)


def logged_in(login: Login, request: Request, response: Response) -> TokenAnswer:
    """The answer of every login door; the response gets the cookie of the refresh token."""
    response.set_cookie(
        COOKIE,
        login.refresh_token,
        expires=datetime.fromtimestamp(login.session.expires_at / 1000, UTC),
        path=cookie_path(request, COOKIE_PATH),
        secure=secure(request),
        httponly=True,
        samesite="strict",
    )
    return TokenAnswer(
        access_token=login.access_token,
        expires_in=login.expires_in,
        refresh_token=login.refresh_token,
    )


def cookie_path(request: Request, path: str) -> str:
    """A path of ours as browsers know it, who see where the server is mounted."""
    return f"{request.scope.get('root_path', '')}{path}"


def secure(request: Request) -> bool:
    """Whether cookies of this answer are for https alone."""
    # By the scope, not by the URL: that is rebuilt from a Host header anybody can write.
    return bool(request.scope.get("scheme") == "https")

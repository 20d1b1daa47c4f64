"""Refusals over HTTP: the one place where a domain error becomes a status.

Every answer that is no success has the body `{"detail": sentence, "code": slug}`.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from hubbub.core.errors import (
    BadFrame,
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)

log = logging.getLogger(__name__)

STATUS: Mapping[type[DomainError], int] = {
    BadFrame: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    TooMany: 429,
    Unavailable: 503,
}
"""The status of each class; a subclass that is not listed has its parent's."""

PLAIN: Mapping[int, tuple[str, str]] = {
    400: ("the request cannot be read", "unreadable"),
    401: ("a valid access token is needed", "unauthenticated"),
    403: ("this is not allowed", "forbidden"),
    404: ("there is nothing here", "not_found"),
    405: ("this method is not allowed here", "method_not_allowed"),
    413: ("the request is larger than 1 MiB", "too_large"),
}
"""Words for refusals of the framework's own."""

NO_OBJECT = "the body must be a JSON object, sent as application/json"
_NO_FIELDS = ("body", "query", "path", "str", "int")

INTERNAL = ("something went wrong in the server", "internal_error")


def refusal(
    status: int, detail: str, code: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a request that is refused. A 401 carries `WWW-Authenticate` (RFC 6750, 3)."""
    # Escaped to ASCII: a sentence may quote what no UTF-8 can hold.
    body = json.dumps({"detail": detail, "code": code})
    answer = Response(body, status, headers, media_type="application/json")
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def refuse(error: DomainError) -> Response:
    """The answer that a domain error becomes."""
    status = next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 400)
    headers = {}
    if status == 429 or error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after or 1)
    return refusal(status, error.message, error.code, headers)


def internal() -> Response:
    """The answer when the fault is the server's: fixed words, whatever happened."""
    return refusal(500, *INTERNAL)


def explain(errors: Sequence[Mapping[str, Any]]) -> str:
    """A sentence for the first of pydantic's errors. It never repeats the input."""
    location = _location(errors[0])
    if not location:
        return NO_OBJECT
    # What may be one of several things has an error for each of them.
    sentences = [_sentence(error) for error in errors if _location(error) == location]
    return f"{location}: {', or '.join(dict.fromkeys(sentences))}"


def _location(error: Mapping[str, Any]) -> str:
    """Which field is wrong, without the framework's words for where and what it was taken for."""
    parts = (str(part) for part in error["loc"] if part not in _NO_FIELDS)
    return ".".join(part for part in parts if "-" not in part)


def _sentence(error: Mapping[str, Any]) -> str:
    sentence = str(error["msg"]).removeprefix("Value error, ")
    return sentence[:1].lower() + sentence[1:]


def install(api: FastAPI) -> None:
    """Makes `api` answer every refusal in this one shape."""
    api.add_exception_handler(DomainError, _on_domain_error)
    api.add_exception_handler(HTTPException, _on_http_exception)
    api.add_exception_handler(RequestValidationError, _on_invalid)


# Handlers are coroutines because the framework runs plain functions in threads.
async def _on_domain_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    return refuse(error)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    detail, code = PLAIN.get(status, PLAIN[400])
    return refusal(status, detail, code, error.headers)


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refusal(422, explain(error.errors()), "invalid")

"""Request bodies: read strictly, whatever they claim to be."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hubbub.core.errors import BadFrame, DomainError, Invalid
from hubbub.core.ids import MAX_INTEGER
from hubbub.core.messages import check_text
from hubbub.web.errors import NO_OBJECT

MAX_DEPTH = 32
MAX_FORM_FIELDS = 16
MAX_FIELD_BYTES = 16 * 1024


def read_json(data: bytes) -> Any:
    """Parses a JSON text.

    Raises:
        BadFrame: it is no JSON (RFC 8259), or nested deeper than 32.
        Invalid: it holds an integer beyond 53 bits, U+0000 or a lone surrogate anywhere.
    """
    try:
        text = data.decode()
        value = json.loads(text, parse_int=_integer, parse_constant=_no_constant)
    except DomainError:
        raise
    except (ValueError, RecursionError):
        raise BadFrame("the body is not valid JSON", "unreadable") from None
    # Few bodies can break these rules at all: those alone are walked through.
    if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        _check(value, 0)
    return value


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        raise Invalid("integers must fit 53 bits", "integer_out_of_range")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        check_text(value, "body")
    elif isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            raise BadFrame(f"the body is nested deeper than {MAX_DEPTH}", "too_deep")
        for item in value:
            _check(item, depth + 1)
        if isinstance(value, dict):
            for item in value.values():
                _check(item, depth + 1)


async def read_fields(request: Request) -> Any:
    """The body of a login door: a form (either encoding) or JSON, as its Content-Type says.

    Raises:
        BadFrame: it is neither, or broken.
        Invalid: it holds a file, or a character that cannot be stored.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        try:
            return read_json(await request.body())
        except ClientDisconnect:
            raise BadFrame("the body ended early", "unreadable") from None
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise BadFrame("send a form or JSON", "unreadable")
    try:
        if kind == "multipart/form-data" and not _is_whole(await request.body()):
            raise BadFrame("the form ends early", "unreadable")
        form = await request.form(
            max_files=0, max_fields=MAX_FORM_FIELDS, max_part_size=MAX_FIELD_BYTES
        )
    except (ClientDisconnect, ValueError):
        raise BadFrame("the form is broken", "unreadable") from None
    fields = dict(form)
    for value in fields.values():
        check_text(str(value), "body")
    return fields


def _is_whole(body: bytes) -> bool:
    """Whether a multipart body has the end that its first line promises (RFC 2046, 5.1.1)."""
    delimiter = body.lstrip(b"\r\n").partition(b"\r\n")[0].rstrip(b" \t")
    return delimiter + b"--" in body


class StrictRequest(Request):
    """A request whose `json()` is `read_json`."""

    async def json(self) -> Any:
        """The parsed body."""
        return read_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose JSON body is read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wraps the handler of the framework."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            given = StrictRequest(request.scope, request.receive)
            try:
                return await handle(given)
            except RequestValidationError as error:
                # What does not call itself JSON reaches the framework's check as bytes.
                if any(fault["loc"] == ("body",) for fault in error.errors()) and (
                    isinstance(error.body, bytes) or not await given.body()
                ):
                    raise BadFrame(NO_OBJECT, "unreadable") from None
                raise
            except HTTPException as error:
                # The framework wraps whatever reading the body raised.
                if isinstance(error.__cause__, DomainError):
                    raise error.__cause__ from None
                raise

        return strict

"""The HTTP application: every route, behind the guards."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import Scope

from hubbub import __version__
from hubbub.web import errors
from hubbub.web.api import auth, channels, mail, people, site
from hubbub.web.compat import conference, conversations, peerjs, rooms, signup
from hubbub.web.deps import WebSettings
from hubbub.web.middleware import (
    BodyLimit,
    Failsafe,
    HeadAsGet,
    LoopbackGuard,
    OriginGuard,
    Origins,
    PathNormaliser,
    SecurityHeaders,
    WholeFiles,
)
from hubbub.web.schemas import Problem

STATIC = Path(__file__).parent.parent / "static"

TAGS = [
    {"name": "login", "description": "Every door gives the same tokens; they open everything."},
    {"name": "people", "description": "Accounts."},
    {"name": "rooms", "description": "Rooms, their messages, users."},
    {"name": "meetings", "description": "Meetings, which end when everybody has left."},
    {"name": "conversations", "description": "Private conversations and direct chats."},
    {"name": "native", "description": "Channels, as the native protocol has them."},
    {"name": "peerjs", "description": "What the client library `peerjs` asks over HTTP."},
    {"name": "server", "description": "The server itself."},
]

_CAUSES = {
    400: "The request cannot be read.",
    401: "No valid access token, or wrong credentials.",
    403: "Known, and not allowed.",
    404: "There is no such thing.",
    409: "It is taken, or the state of things does not allow it.",
    413: "The request is larger than 1 MiB.",
    422: "The request is wrong and stays wrong.",
    429: "Too often; `Retry-After` says when.",
    503: "The server cannot do it now.",
}


def build_api(settings: WebSettings) -> FastAPI:
    """The application without its services: put `Services` into `app.state.services` before the
    first request. It answers HTTP scopes; WebSockets have their own door."""
    api = FastAPI(
        title="Hubbub",
        summary="Chat and presence for people who build applications.",
        version=__version__,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        middleware=_guards(settings),
    )
    errors.install(api)
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": cause} for status, cause in _CAUSES.items()
    }
    for router in (
        auth.doors,
        auth.router,
        signup.router,
        people.router,
        rooms.open_router,
        rooms.router,
        conversations.router,
        conference.router,
        channels.router,
        peerjs.router,
    ):
        api.include_router(router, responses=refusals)
    api.include_router(site.router)
    if settings.open == "loopback":
        api.include_router(mail.router)
    api.mount("/static", Files(directory=STATIC))
    return api


class Files(StaticFiles):
    """The files of the pages. A file has no second name with a slash: its relative links would
    lead astray."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file at `path`."""
        if scope["path"].endswith("/"):
            raise HTTPException(404)
        return await super().get_response(path, scope)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _guards(settings: WebSettings) -> list[Middleware]:
    loopback = settings.open == "loopback"
    return [
        Middleware(SecurityHeaders),
        *([Middleware(LoopbackGuard)] if loopback else []),
        Middleware(OriginGuard, origins=Origins(settings.origins, loopback=loopback)),
        Middleware(PathNormaliser),
        Middleware(HeadAsGet),
        Middleware(WholeFiles),
        Middleware(BodyLimit),
        Middleware(Failsafe),
    ]

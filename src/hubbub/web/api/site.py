"""The server about itself: what it is, whether it works, the pages of its documentation."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel

from hubbub import __version__
from hubbub.core.errors import Unavailable
from hubbub.web.asyncapi import LOCAL, located
from hubbub.web.deps import Use
from hubbub.web.schemas import Problem

router = APIRouter(
    tags=["server"],
    responses={
        403: {
            "model": Problem,
            "description": "Open to its own machine, and asked by another (`loopback_only`).",
        }
    },
)

STATIC = Path(__file__).parent.parent.parent / "static"


class About(BaseModel):
    """What this server is, and where to go from here."""

    name: str
    version: str
    docs: str
    endpoints: dict[str, str]


class Health(BaseModel):
    """The process runs; `dev` tells the pages that the sample accounts exist."""

    status: str
    dev: bool


class Ready(BaseModel):
    """Messages can be stored and read."""

    status: str


ABOUT = About(
    name="Hubbub",
    version=__version__,
    docs="/docs",
    endpoints={
        "login": "POST /api/token",
        "register": "POST /api/users",
        "rooms": "/api/rooms",
        "rooms_socket": "/ws/auth, /ws/room/{room_id}",
        "conversations": "/conversations",
        "conversations_socket": "/conversations/{id}/ws",
        "meetings": "POST /create-room, /rooms, /rooms/{room_id}",
        "meetings_socket": "/ws/{room_id}",
        "signaling_login": "POST /api/auth/signup, …/verify-otp, …/set-username, …/login",
        "signaling_socket": "/ws/signaling/{room_id}",
        "relay_sockets": "/ws/chat/{user_id}, /ws/video/{room_id}/{user_id}",
        "peerjs_socket": "/peerjs/peerjs",
        "native": "/api/v1",
        "native_socket": "/ws/v1",
        "health": "/healthz, /readyz",
        "descriptions": "/openapi.json, /asyncapi.json",
        "page": "/static/index.html",
    },
)


@router.get("/", response_model=About)
async def read_root(request: Request) -> Response | About:
    """About the API; whoever prefers HTML is sent to the web client."""
    if prefers_html(request.headers.get("accept", "")):
        page = f"{request.scope.get('root_path', '')}/static/index.html"
        return RedirectResponse(page, headers={"Vary": "Accept"})
    return ABOUT


@router.get("/healthz")
async def read_health(use: Use) -> Health:
    """Whether the process runs."""
    return Health(status="ok", dev=use.settings.open == "loopback")


@router.get("/readyz", responses={503: {"model": Problem, "description": "Not now."}})
async def read_readiness(use: Use) -> Ready:
    """Whether messages can be stored and read right now."""
    if not await use.chat.ready():
        raise Unavailable("the database does not work right now")
    return Ready(status="ok")


@router.get("/room/{key}", include_in_schema=False)
async def read_meeting_page() -> FileResponse:
    """The page that joins the meeting its path names. It finds out by itself if there is one."""
    return FileResponse(STATIC / "room.html")


@router.get("/asyncapi.json", include_in_schema=False)
async def read_sockets(request: Request, use: Use) -> JSONResponse:
    """The WebSocket half of the API, as an AsyncAPI document. Its server is where this was asked
    for."""
    scope = request.scope
    document = located(
        use.asyncapi,
        request.headers.get("host", LOCAL),
        secure=scope["scheme"] == "https",
        below=scope.get("root_path", "").rstrip("/"),
    )
    return JSONResponse(document)


@router.get("/docs", include_in_schema=False)
async def read_docs() -> FileResponse:
    """The API, to try out."""
    return FileResponse(STATIC / "docs" / "swagger.html")


@router.get("/redoc", include_in_schema=False)
async def read_redoc() -> FileResponse:
    """The API, to read."""
    return FileResponse(STATIC / "docs" / "redoc.html")


def prefers_html(accept: str) -> bool:
    """Whether an `Accept` header ranks `text/html` above JSON (RFC 9110, 12.5.1)."""
    return _quality(accept, "text", "html") > _quality(accept, "application", "json")


def _quality(accept: str, kind: str, subtype: str) -> float:
    """The weight given to a media type by the most specific range that covers it."""
    best = (0, 0.0)
    for part in accept.lower().split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        ranges = (f"{kind}/{subtype}", f"{kind}/*", "*/*")
        if media in ranges:
            weight = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
            best = max(best, (len(ranges) - ranges.index(media), weight))
    return best[1]


def _weight(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0

"""What the `peerjs` client asks over HTTP, under its `path: '/peerjs'`."""

import uuid

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from hubbub.core.errors import Unauthenticated
from hubbub.web.deps import caller

router = APIRouter(prefix="/peerjs", tags=["peerjs"])


class PeerServer(BaseModel):
    """What the client expects to be talking to."""

    name: str = "PeerJS Server"
    description: str = "A server side element to broker connections between PeerJS clients."
    website: str = "https://peerjs.com/"


@router.get("")
async def read_peer_server() -> PeerServer:
    """What speaks here."""
    return PeerServer()


@router.get(
    "/peerjs/id",
    response_class=Response,
    responses={200: {"content": {"text/html": {"schema": {"type": "string", "format": "uuid"}}}}},
)
async def draw_peer_id() -> Response:
    """An id that nobody has, for a client whose application gave it none."""
    return HTMLResponse(str(uuid.uuid4()))


@router.get("/peerjs/peers", dependencies=[Depends(caller)])
async def list_peer_ids() -> list[str]:
    """Refused: who has which id is not told."""
    raise Unauthenticated("ids are not listed here", "discovery_off")

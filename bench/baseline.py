"""The chat server that tutorials teach: FastAPI's documented `ConnectionManager`, a JWT checked at
the handshake, and one SQLAlchemy ORM commit per message in the handler.

Written as its readers would write it, and not to lose: rooms instead of one list, a session per
message (a session per socket runs the pool dry), the acknowledgement before the broadcast. The
database is `app.db` in the working folder, with SQLite's and SQLAlchemy's own defaults.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect, WebSocketException, status
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

SECRET_KEY = OctKey.import_key(os.environ["SECRET_KEY"])
ALGORITHM = "HS256"

engine = create_engine("sqlite:///./app.db", connect_args={"check_same_thread": False})
SessionLocal = sessionmaker(autocommit=False, autoflush=False, bind=engine)


class Base(DeclarativeBase):
    """What the tables derive from."""


class Message(Base):
    """A message as it is stored."""

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True, index=True)
    room_id: Mapped[int] = mapped_column(index=True)
    username: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=lambda: datetime.now(UTC))


class ConnectionManager:
    """The class of FastAPI's documentation, with a list per room."""

    def __init__(self) -> None:
        self.active_connections: dict[int, list[WebSocket]] = {}

    async def connect(self, websocket: WebSocket, room_id: int) -> None:
        """Accept the socket and put it in its room."""
        await websocket.accept()
        self.active_connections.setdefault(room_id, []).append(websocket)

    def disconnect(self, websocket: WebSocket, room_id: int) -> None:
        """Take the socket out of its room."""
        self.active_connections[room_id].remove(websocket)

    async def send_personal_message(self, message: str, websocket: WebSocket) -> None:
        """Send to one socket."""
        await websocket.send_text(message)

    async def broadcast(self, message: str, room_id: int) -> None:
        """Send to everybody in the room, one after another."""
        for connection in self.active_connections[room_id]:
            await connection.send_text(message)


manager = ConnectionManager()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Create the tables."""
    Base.metadata.create_all(bind=engine)
    yield


app = FastAPI(lifespan=lifespan)


async def get_current_user(token: str) -> str:
    """The username in the token of the query string."""
    try:
        claims = jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM]).claims
        jwt.JWTClaimsRegistry(sub={"essential": True}, exp={"essential": True}).validate(claims)
    except (JoseError, ValueError) as exc:
        raise WebSocketException(code=status.WS_1008_POLICY_VIOLATION) from exc
    return str(claims["sub"])


def store(room_id: int, username: str, content: str) -> Message:
    """Commit one message."""
    with SessionLocal() as db:
        message = Message(room_id=room_id, username=username, content=content)
        db.add(message)
        db.commit()
        db.refresh(message)
        return message


@app.websocket("/ws/{room_id}")
async def websocket_endpoint(
    websocket: WebSocket, room_id: int, username: Annotated[str, Depends(get_current_user)]
) -> None:
    """Store, acknowledge and broadcast what the client sends, until it goes away."""
    await manager.connect(websocket, room_id)
    try:
        while True:
            data = await websocket.receive_json()
            message = store(room_id, username, data["content"])
            ack = {"type": "ack", "id": message.id, "client_id": data["client_id"]}
            await manager.send_personal_message(json.dumps(ack), websocket)
            event = {
                "type": "message",
                "id": message.id,
                "room_id": message.room_id,
                "username": message.username,
                "content": message.content,
                "created_at": message.created_at.isoformat(),
            }
            await manager.broadcast(json.dumps(event), room_id)
    except WebSocketDisconnect:
        manager.disconnect(websocket, room_id)

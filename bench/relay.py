"""The signaling server that tutorials teach: FastAPI, rooms of sockets by user, and
each frame read, stamped with its sender and sent on to whom it names.

It speaks the video socket of `relay`, and does not check the token it is given.
"""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
rooms: dict[str, dict[str, WebSocket]] = {}


async def tell_others(room_id: str, user_id: str, kind: str) -> None:
    """Tell everybody else in the room that somebody came or went."""
    for other, socket in list(rooms[room_id].items()):
        if other != user_id:
            await socket.send_json({"type": kind, "room_id": room_id, "user_id": user_id})


@app.websocket("/ws/video/{room_id}/{user_id}/")
async def video(websocket: WebSocket, room_id: str, user_id: str) -> None:
    """Pass on what the client sends, until it goes away."""
    await websocket.accept()
    rooms.setdefault(room_id, {})[user_id] = websocket
    await tell_others(room_id, user_id, "user-joined")
    try:
        while True:
            signal = await websocket.receive_json()
            target = rooms[room_id].get(signal["to_user_id"])
            if target is None:
                await websocket.send_json({"type": "error", "message": "user not connected"})
                continue
            await target.send_json(
                {
                    "type": signal["type"],
                    "room_id": room_id,
                    "from_user_id": user_id,
                    "to_user_id": signal["to_user_id"],
                    "data": signal["data"],
                }
            )
    except WebSocketDisconnect:
        del rooms[room_id][user_id]
        await tell_others(room_id, user_id, "user-left")

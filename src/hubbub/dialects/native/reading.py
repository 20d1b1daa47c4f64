"""Reading commands: every frame the protocol has."""

from hubbub.core.errors import Invalid
from hubbub.dialects.base import Reader, Refused, Request
from hubbub.dialects.native import calls, commands

FRAMES: tuple[type[commands.Frame], ...] = (*commands.FRAMES, *calls.FRAMES)

_read_frame = Reader(*FRAMES).read


def read(line: str) -> Request | Refused:
    """The command in one line. Never raises; what is refused carries the command's `id` where it
    can be read."""
    frame = _read_frame(line)
    if isinstance(frame, Refused):
        return frame
    try:
        return Request(frame.command(), frame.id)
    except Invalid as error:
        return Refused(error, frame.id)

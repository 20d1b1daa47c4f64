"""What may be posted."""

from hubbub.core.errors import Invalid

MAX_CONTENT = 4_000
MAX_CLIENT_ID = 64
MAX_NAME = 100
MAX_DESCRIPTION = 1_000


def check_content(content: object) -> str:
    """Returns `content` when it may be posted: 1 to 4,000 characters, not only white space.

    U+0000 and lone surrogates are refused: PostgreSQL stores neither, and would fail every message
    that shares a batch with one.

    Raises:
        Invalid: with a code that names the fault.
    """
    if not isinstance(content, str):
        raise Invalid("content must be a string", "invalid_content")
    if not content or content.isspace():
        raise Invalid("content must not be empty", "empty_content")
    if len(content) > MAX_CONTENT:
        raise Invalid(f"content must be at most {MAX_CONTENT} characters", "content_too_long")
    check_text(content, "content")
    return content


def check_client_id(client_id: object) -> str | None:
    """Returns `client_id`, absent or 1 to 64 characters.

    Raises:
        Invalid: when it is anything else.
    """
    if client_id is None:
        return None
    if not isinstance(client_id, str) or not 0 < len(client_id) <= MAX_CLIENT_ID:
        raise Invalid(
            f"client_id must be a string of 1 to {MAX_CLIENT_ID} characters", "invalid_client_id"
        )
    check_text(client_id, "client_id")
    return client_id


def check_label(text: str, field: str, most: int, least: int = 1) -> str:
    """Returns a channel's name or description without the white space around it.

    Raises:
        Invalid: when fewer than `least` or more than `most` characters remain.
    """
    text = text.strip()
    if not least <= len(text) <= most:
        raise Invalid(f"{field} must be {least} to {most} characters", f"invalid_{field}")
    check_text(text, field)
    return text


def check_text(text: str, field: str) -> None:
    """Refuses characters that no database of ours can hold.

    Raises:
        Invalid: for U+0000 and for lone surrogates.
    """
    if "\x00" in text or (not text.isascii() and _has_surrogate(text)):
        raise Invalid(f"{field} holds a character that cannot be stored", f"invalid_{field}")


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False

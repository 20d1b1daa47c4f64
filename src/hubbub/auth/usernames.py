"""What somebody may be called, when two names are the same, and what an e-mail address is."""

import unicodedata
from contextlib import suppress

from hubbub.core.errors import Invalid
from hubbub.core.names import GUEST_PREFIX, fold

MAX_USERNAME = 64
MAX_SUGGESTED = 40
MAX_EMAIL = 254


def normal_username(username: str) -> str:
    """The one spelling of a name: Unicode's NFKC. What is far too long to be anybody's name comes
    back as it is."""
    if len(username) > 4 * MAX_USERNAME:
        return username
    return unicodedata.normalize("NFKC", username)


def username_key(username: str) -> str:
    """Equal for two spellings of one name, whatever their case. At most 64 characters: names that
    nobody can have share keys."""
    return fold(username[: 4 * MAX_USERNAME])[:MAX_USERNAME]


def check_username(username: str) -> str:
    """Returns the normal spelling of a name that somebody may register.

    1 to 64 characters, no white space around them, nothing invisible (Unicode's categories C, Zl
    and Zp: control and format characters, lone surrogates, what no version of Unicode has assigned)
    and not digits alone, which on the wire are an id. `guest-` begins the names of guests. Names
    stand in paths, which a slash would divide, and `.` and `..` mean something else there.

    Raises:
        Invalid: `invalid_username`.
    """
    name = normal_username(username)
    if not 0 < len(name) <= MAX_USERNAME:
        raise _invalid(f"a username must be 1 to {MAX_USERNAME} characters")
    if name != name.strip():
        raise _invalid("a username must not begin or end with white space")
    if any(unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" for c in name):
        raise _invalid("a username must not hold invisible characters")
    if "/" in name or name in (".", ".."):
        raise _invalid("a username must not be . or .., or hold a slash")
    if name.isdigit():
        raise _invalid("a username must not be digits alone")
    if name.casefold().startswith(GUEST_PREFIX):
        raise _invalid(f"a username must not begin with {GUEST_PREFIX}")
    return name


def suggested_username(wanted: str | None, subject: str) -> str:
    """A name that `check_username` takes, for somebody whom an external issuer calls `wanted`, or,
    when it gives no name, knows by `subject` alone. It is as close to that as the rules allow, and
    has at least 17 characters to spare for what may have to tell it from others' names."""
    for name in (wanted, subject):
        visible = "".join(
            c
            for c in normal_username((name or "")[:MAX_USERNAME])
            if unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029"
        )
        short = visible.replace("/", "-").strip()[:MAX_SUGGESTED].strip()
        for candidate in (short, f"user-{short}") if short else ():
            with suppress(Invalid):
                return check_username(candidate)
    return "user"


def check_email(email: str) -> str:
    """Returns an address without the white space around it. That it reads like one is all that is
    known of it.

    Raises:
        Invalid: `invalid_email`.
    """
    email = email.strip()
    name, at, domain = email.rpartition("@")
    shaped = name and at and domain and len(email) <= MAX_EMAIL
    if not shaped or not email.isprintable() or " " in email:
        raise Invalid("this is no e-mail address", "invalid_email")
    return email


def _invalid(sentence: str) -> Invalid:
    return Invalid(sentence, "invalid_username")

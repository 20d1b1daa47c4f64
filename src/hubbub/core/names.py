"""When two usernames are one."""

import unicodedata

GUEST_PREFIX = "guest-"
"""How the names of people begin who have none."""

OURS_PREFIX = "hubbub:"
"""How accounts are called whose usernames are an application's own ids of somebody else."""


def fold(name: str) -> str:
    """The form in which usernames are compared: case and width do not make two people of one.

    Folding the case may take a letter and its accents apart, hence normalised again (compatibility
    caseless matching, Unicode 3.13, D146).
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)

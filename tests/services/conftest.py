from collections.abc import Iterator

import pytest

from tests.support.accounts import Office


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    yield made
    made.passwords.close()

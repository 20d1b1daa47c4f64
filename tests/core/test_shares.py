"""Pools of which everybody has a share."""

from hubbub.core.shares import Pool


def test_what_would_be_too_much_in_any_name_is_not_taken_in_any() -> None:
    pool = Pool()
    assert pool.take({"all": 10, "ann": 6}, 6)
    assert not pool.take({"all": 10, "ann": 6}, 1)
    assert not pool.take({"all": 10, "ben": 6}, 5)
    assert pool.take({"all": 10, "ben": 6}, 4)


def test_what_is_given_back_can_be_taken_again() -> None:
    pool = Pool()
    shares = {"all": 2, "ann": 1}
    assert pool.take(shares)
    assert not pool.take(shares)
    pool.give(shares)
    assert pool.take(shares)


def test_names_of_which_nothing_is_out_are_forgotten() -> None:
    pool = Pool()
    for name in range(100):
        assert pool.take({name: 1})
        assert not pool.take({name: 1})
        pool.give({name: 1})
    assert not pool._out

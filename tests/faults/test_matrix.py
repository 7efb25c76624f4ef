"""Every row of the matrix is played by a test that runs, and the document lists them."""

from faults.matrix import ROWS, played_rows


def test_there_are_forty_rows():
    assert list(ROWS) == list(range(1, 41))


def test_every_row_is_played_by_a_test():
    assert sorted(played_rows()) == list(ROWS)

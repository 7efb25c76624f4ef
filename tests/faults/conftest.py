"""One company for all rows of the matrix that a process of pytest runs: each leaves it as it found it."""

from collections.abc import Iterator

import pytest
from faults.whole_company import WholeCompany


class Hall:
    """Holds the company that stands, and builds another one when a row has left it in ruins."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._company: WholeCompany | None = None

    def company(self) -> WholeCompany:
        if self._company is None:
            company = WholeCompany(self._folders.mktemp("whole"))
            company.__enter__()
            self._company = company
        return self._company

    def tear_down(self) -> None:
        company, self._company = self._company, None
        if company is not None:
            company.__exit__(None, None, None)


@pytest.fixture(scope="session")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    hall = Hall(tmp_path_factory)
    yield hall
    hall.tear_down()


@pytest.fixture
def company(hall: Hall) -> Iterator[WholeCompany]:
    """Yield the company; afterwards it comes to rest and is judged by every invariant."""
    company = hall.company()
    try:
        yield company
        company.set_right()
        company.comes_to_rest()
        wrong = company.wrong()
    except BaseException:
        hall.tear_down()
        raise
    if wrong:
        hall.tear_down()
    assert wrong == []

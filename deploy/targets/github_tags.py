"""Release tags on GitHub: named by date and number, one for each order."""

from github.Repository import Repository

from deploy.errors import DeniedError, NoAnswerError
from deploy.github import github_answers
from deploy.target import Order, Site

_TRIES = 20


class Tags:
    """The tags of one service in one environment; each holds the order that it was made for."""

    def __init__(self, repository: Repository, template: str | None, site: Site) -> None:
        self._repository = repository
        self._template = template or "{n}"
        self._site = site

    @property
    def shown(self) -> str:
        """The name as it can be told before the day and the number are known."""
        return self._name("{date}", "{n}")

    def make(self, order: Order) -> str:
        """Make a tag of the commit and return its name; one that is there for the order stays."""
        date = f"{self._site.clock():%Y-%m-%d}"
        head, _, tail = self._name(date, "\0").partition("\0")
        with github_answers("list the tags"):
            refs = list(self._repository.get_git_matching_refs(f"tags/{head}"))
        names = [ref.ref.removeprefix("refs/tags/") for ref in refs]
        taken = (name.removeprefix(head).removesuffix(tail) for name in names)
        first = max((int(text) for text in taken if text.isdigit()), default=0) + 1
        for number in range(first, first + _TRIES):
            name = f"{head}{number}{tail}"
            if self._made(name, order):
                return name
        raise DeniedError(f"No free tag was found after {head}{first}{tail}.", 409)

    def _made(self, name: str, order: Order) -> bool:
        """Make one tag; False if another order was faster and has that name."""
        says = f"{order.plan.service} to {order.plan.environment}\n\noperation {order.approval_id}"
        with github_answers(f"make the tag {name}"):
            tag = self._repository.create_git_tag(name, says, order.plan.sha, "commit")
        try:
            with github_answers(f"make the tag {name}"):
                self._repository.create_git_ref(f"refs/tags/{name}", tag.sha)
        except (DeniedError, NoAnswerError) as error:
            there = self._at(name)
            if there is None:
                raise
            if there == tag.sha:
                return True
            if isinstance(error, NoAnswerError):
                raise
            return False
        return True

    def _at(self, name: str) -> str | None:
        try:
            with github_answers("show the tag"):
                return self._repository.get_git_ref(f"tags/{name}").object.sha
        except DeniedError as error:
            if error.status != 404:
                raise
            return None

    def _name(self, date: str, number: str) -> str:
        site = self._site
        return self._template.format(
            date=date, n=number, service=site.service, environment=site.environment
        )

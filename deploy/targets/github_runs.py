"""Finding the run of an approval among the runs of a workflow; what it says is `github_actions`'s."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from github.Repository import Repository
from github.WorkflowRun import WorkflowRun

from deploy.errors import DeniedError, SeenApprovalError
from deploy.github import github_answers
from deploy.remote_tables import GitHubActionsTable
from deploy.targets.elsewhere import Work

_CLOCKS_APART = timedelta(minutes=10)
_RUNS_SEEN = 500


def run_of(repository: Repository, table: GitHubActionsTable, work: Work) -> WorkflowRun | None:
    """Return the run of some work: by its id if GitHub named it, else by its title.

    Of several that are called alike (somebody started one by hand), it is the first.
    """
    if "id" in work.facts:
        try:
            with github_answers("show the run"):
                run = repository.get_workflow_run(int(work.facts["id"]))
                run.update()
                return run
        except DeniedError as error:
            if error.status != 404:
                raise
            return None
    since = work.asked_at.astimezone(UTC) - _CLOCKS_APART
    runs = _named(repository, table, work.approval_id, since)
    return min(runs, key=lambda run: run.created_at, default=None)


def runs_named(repository: Repository, table: GitHubActionsTable, approval_id: str) -> None:
    """Raise SeenApprovalError if one of the last runs is called after the approval."""
    if any(_named(repository, table, approval_id, None)):
        raise SeenApprovalError(
            "A run of this approval is on GitHub already. It was not run again; ask for a new one."
        )


def _named(
    repository: Repository,
    table: GitHubActionsTable,
    approval_id: str,
    since: datetime | None,
) -> Iterator[WorkflowRun]:
    name = re.compile(rf"(?<![A-Za-z0-9._:-]){re.escape(approval_id)}(?![A-Za-z0-9._:-])")
    with github_answers("list the runs"):
        workflow = repository.get_workflow(table.workflow)
        if since is None:
            runs = workflow.get_runs(event="workflow_dispatch")
        else:
            created = f">={since:%Y-%m-%dT%H:%M:%SZ}"
            runs = workflow.get_runs(event="workflow_dispatch", created=created)
        for run in islice(runs, _RUNS_SEEN if since else 100):
            if name.search(run.display_title or ""):
                yield run

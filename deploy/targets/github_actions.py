"""GitHub Actions: a workflow is dispatched with the commit, and its run followed to its end."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from github.WorkflowJob import WorkflowJob
from github.WorkflowRun import WorkflowRun

from deploy import process
from deploy.answers import one_line
from deploy.errors import DeniedError, PlaceError
from deploy.github import GitHub, github_answers
from deploy.plan import SHORT, Action, PlannedStep
from deploy.records import Record
from deploy.remote_tables import GitHubActionsTable
from deploy.target import Live, Order, Site
from deploy.targets.elsewhere import Going, Over, Sight, Unseen, Work
from deploy.targets.github_deployments import Deployments
from deploy.targets.github_runs import run_of, runs_named
from deploy.targets.github_tags import Tags
from deploy.targets.past import live_by_journal
from deploy.targets.remote import Remote

TAIL_LINES = 20
_GOOD = ("success", "neutral", "skipped")


class GitHubActions:
    """One workflow of one repository, as the place where one service of an environment is made."""

    launches_at = "dispatch"

    def __init__(self, site: Site, table: GitHubActionsTable) -> None:
        self.site = site
        self.table = table
        self.github = GitHub(site.connections)
        self.repository = self.github.repository(table.repository)
        self.deployments = Deployments(self.repository, site.service, site.environment)
        self.tags = Tags(self.repository, table.tag, site)

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps; no more of them than the table asks for."""
        table, short = self.table, sha[:SHORT]
        steps: list[PlannedStep] = []
        if table.tag is not None:
            says = f"Tag {short} on GitHub as {self.tags.shown}"
            steps.append(PlannedStep(name="tag", says=says))
        if table.deployments:
            says = f"Record on GitHub that {short} goes to {self.site.environment}"
            steps.append(PlannedStep(name="record", says=says))
        says = (
            f"Start {table.workflow} of {table.repository} with {short} (as it is on {table.ref})"
        )
        steps.append(PlannedStep(name=self.launches_at, says=says))
        says = f"Follow the run for up to {table.timeout_seconds / 60:g} minutes"
        steps.append(PlannedStep(name="follow", says=says))
        return tuple(steps)

    def current(self, records: Iterable[Record]) -> Live | None:
        """Return the last deployment that succeeded and is ours, else what the journal says."""
        if self.table.deployments:
            live = self.deployments.live()
            if live is not None:
                return live
        return live_by_journal(records)

    def witness(self, order: Order) -> None:
        """Refuse an approval that a deployment or a run names, or a fence that is not newer."""
        if self.table.deployments:
            self.deployments.witness(order)
        else:
            runs_named(self.repository, self.table, order.approval_id)

    def prepare(self, step: str, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Make the release tag, or record the deployment."""
        if step == "tag":
            return {"tag": self.tags.make(order)}
        return {"deployment": self.deployments.record(order)}

    def before(self, order: Order) -> dict[str, str]:
        """Return nothing: the run is found by the approval."""
        return {}

    def launch(self, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Dispatch the workflow; return the run and its page, where GitHub names them at once."""
        inputs = {
            **self.table.inputs,
            "sha": order.plan.sha,
            "operation": order.approval_id,
            "environment": self.site.environment,
            "service": self.site.service,
        }
        if "tag" in facts:
            inputs["tag"] = facts["tag"]
        run = self._dispatch(inputs)
        return {"id": str(run.id), "link": run.html_url} if isinstance(run, WorkflowRun) else {}

    def announce(self, facts: Mapping[str, str]) -> None:
        """Set the status of the deployment that was recorded."""
        self.deployments.mark(facts.get("deployment"), "in_progress", facts.get("link", ""))

    def look(self, work: Work) -> Sight:
        """Find the run, and tell its step; of one that failed, the step and the end of its log."""
        run = run_of(self.repository, self.table, work)
        if run is None:
            return Unseen()
        with github_answers("show the run"):
            if run.status == "completed" and run.conclusion in _GOOD:
                return Over(ok=True, link=run.html_url)
            jobs = list(run.jobs())
            if run.status == "completed":
                return self._failed(run, jobs)
            step = _step_of(run, jobs)
            return Going(step=step, link=run.html_url, mark=_mark(run, jobs))

    def stop(self, work: Work) -> None:
        """Ask GitHub to cancel the run; one that is not there, or has ended, is left alone."""
        run = run_of(self.repository, self.table, work)
        if run is not None:
            with github_answers("cancel the run"):
                if run.status != "completed":
                    run.cancel()

    def finish(self, work: Work, over: Over) -> None:
        """Set the status of the deployment that was recorded."""
        state = "success" if over.ok else "failure"
        says = "" if over.ok else over.error or "it failed"
        self.deployments.mark(work.facts.get("deployment"), state, over.link, says)

    def _dispatch(self, inputs: Mapping[str, str]) -> bool | WorkflowRun:
        with github_answers(f"start {self.table.workflow}"):
            workflow = self.repository.get_workflow(self.table.workflow)
        try:
            with github_answers(f"start {self.table.workflow}"):
                return workflow.create_dispatch(
                    self.table.ref, dict(inputs), throw=True, return_run_details=True
                )
        except DeniedError as error:
            if error.status != 422 or "return_run_details" not in str(error):
                raise
        with github_answers(f"start {self.table.workflow}"):  # a server that knows no run details
            return workflow.create_dispatch(self.table.ref, dict(inputs), throw=True)

    def _failed(self, run: WorkflowRun, jobs: list[WorkflowJob]) -> Over:
        bad = [job for job in jobs if job.conclusion not in (*_GOOD, None)]
        name = _failed_step(bad[0]) if bad else None
        if run.conclusion == "cancelled":
            error = "the run was cancelled on GitHub"
        else:
            error = f"the run ended as {run.conclusion}" + (f" at {name}" if name else "")
        return Over(ok=False, link=run.html_url, step=name, error=error, tail=self._tail(bad))

    def _tail(self, bad: list[WorkflowJob]) -> tuple[str, ...]:
        """Return the end of the first failed job's log; its steps where there is no log."""
        if not bad:
            return ()
        with suppress(PlaceError):
            log = self.github.log_tail(f"{bad[0].url}/logs", TAIL_LINES)
            if log:
                return tuple(process.plain(line) for line in log)
        return tuple(
            one_line(f"{step.name}: {step.conclusion or step.status}")
            for step in bad[0].steps or ()
        )


class GitHubActionsTarget(Remote[GitHubActions]):
    """One service of one environment, deployed by a workflow of GitHub Actions."""

    def __init__(self, site: Site) -> None:
        table = site.catalog.services[site.service].target
        if not isinstance(table, GitHubActionsTable):
            raise TypeError(f"{site.service} has no table of kind github_actions")
        super().__init__(site, table, GitHubActions(site, table))


def _step_of(run: WorkflowRun, jobs: list[WorkflowJob]) -> str:
    """Return the step that runs now, or what the run waits for."""
    for job in jobs:
        if job.status == "in_progress":
            names = [step.name for step in job.steps or () if step.status == "in_progress"]
            return one_line(" / ".join([job.name, *names[:1]]))
    waits = {"queued": "waiting for a runner", "waiting": "waiting for GitHub's own approval"}
    return waits.get(run.status, run.status)


def _failed_step(job: WorkflowJob) -> str:
    names = [s.name for s in job.steps or () if s.conclusion not in (*_GOOD, None)]
    return one_line(" / ".join([job.name, *names[:1]]))


def _mark(run: WorkflowRun, jobs: list[WorkflowJob]) -> str:
    def states() -> Iterator[str]:
        yield f"{run.status} {run.updated_at}"
        for job in jobs:
            yield f"{job.id} {job.status} {job.conclusion}"
            yield from (f"{s.number} {s.status} {s.conclusion}" for s in job.steps or ())

    return hashlib.sha256("\n".join(states()).encode()).hexdigest()[:16]

"""Vercel: the production build of the commit is promoted, and the domains followed until they lead to it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from deploy.answers import one_line
from deploy.errors import DeniedError, Refusal, RefusedError, TargetError
from deploy.plan import SHORT, Action, PlannedStep
from deploy.records import Record, SwitchedRecord
from deploy.remote_tables import VercelTable, filled
from deploy.target import Live, Order, Site
from deploy.targets.elsewhere import Going, Over, Sight, Unseen, Work
from deploy.targets.remote import Remote
from deploy.targets.vercel_api import AliasRequest, Project, Vercel


class VercelProject:
    """One project, as the place where one service of an environment is live."""

    launches_at = "promote"

    def __init__(self, site: Site, table: VercelTable) -> None:
        self.site = site
        self.table = table
        self.name = filled(table.project, site.service, site.environment)
        self.vercel = Vercel(site.connections, self.name, table.team)

    def planned_steps(self, action: Action, sha: str) -> tuple[PlannedStep, ...]:
        """Return the steps: the request, and the domains that follow it."""
        short = sha[:SHORT]
        how = f"Promote the build of {short}"
        if action == "roll_back":
            how = f"Roll the domains back to the build of {short}"
        says = f"Wait until the production domains of {self.name} lead to {short}"
        return (
            PlannedStep(name="promote", says=f"{how} in the Vercel project {self.name}"),
            PlannedStep(name="domains", says=says),
        )

    def current(self, records: Iterable[Record]) -> Live | None:
        """Return the commit of the build that the production domains lead to."""
        production = self.vercel.project().targets.production
        if production is None:
            return None
        if production.sha is None:
            raise TargetError(
                f"What is live in the Vercel project {self.name} was not built from a commit. "
                "Nothing was changed; promote a build of a commit there by hand, once."
            )
        switches = (r for r in records if isinstance(r, SwitchedRecord))
        last = next(switches, None)
        is_ours = last is not None and last.sha == production.sha
        at = (production.readyAt or production.createdAt) / 1000
        return Live(
            sha=production.sha,
            release=production.id,
            since=last.at if last and is_ours else datetime.fromtimestamp(at, UTC),
            approval_id=last.approval_id if last and is_ours else None,
            verified=False,
        )

    def witness(self, order: Order) -> None:
        """Refuse to begin while the domains are being moved, by whomever."""
        request = self.vercel.project().lastAliasRequest
        if request is not None and request.goes_on:
            text = (
                f"The domains of {self.name} are being moved to another build right now. Nothing "
                "was changed; wait for that to end, then ask again."
            )
            raise RefusedError(Refusal("operation_running", text))

    def prepare(self, step: str, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Return nothing: no step comes before the launch."""
        return {}

    def before(self, order: Order) -> dict[str, str]:
        """Find the build, what is live, and what the last move was, so that ours is told from it."""
        builds = self.vercel.builds(order.plan.sha)
        ready = next((build for build in builds if build.stands_as == "READY"), None)
        if ready is None:
            short = order.plan.sha[:SHORT]
            stands = f"it is {builds[0].stands_as}" if builds else "there is none"
            raise DeniedError(f"No production build of {short} is ready: {stands}.", 404)
        project = self.vercel.project()
        production = project.targets.production
        return {
            "deployment": ready.uid,
            "link": ready.inspectorUrl or "",
            "before": production.id if production else "",
            "last_move": _name_of(project.lastAliasRequest),
        }

    def launch(self, order: Order, facts: Mapping[str, str]) -> dict[str, str]:
        """Ask for the promotion, or the roll back."""
        if order.plan.action == "roll_back":
            self.vercel.roll_back(facts["deployment"], f"operation {order.approval_id}")
        else:
            self.vercel.promote(facts["deployment"])
        return {"link": facts["link"]}

    def announce(self, facts: Mapping[str, str]) -> None:
        """Tell nobody: Vercel shows its moves by itself."""

    def look(self, work: Work) -> Sight:
        """Tell how the last move of the domains stands, if it is ours."""
        project, link = self.vercel.project(), work.facts["link"]
        request = project.lastAliasRequest
        if request is None or _name_of(request) == work.facts["last_move"]:
            return Unseen()
        if request.toDeploymentId == work.facts["deployment"]:
            return self._ours(work, project, request)
        if work.stopping and request.toDeploymentId == work.facts["before"]:
            if request.goes_on:
                return Going("undo", link, f"undo {request.jobStatus}")
            if _leads_to(project, work.facts["before"]):
                error = "the domains lead to the build before again"
                return Over(ok=False, link=link, step="domains", error=error)
        return Unseen()  # somebody else has moved them since

    def stop(self, work: Work) -> None:
        """Ask that the domains lead again to what was live before, unless that was asked."""
        before, request = work.facts["before"], self.vercel.project().lastAliasRequest
        if not before or request is None or request.toDeploymentId != work.facts["deployment"]:
            return
        if _name_of(request) != work.facts["last_move"]:
            self.vercel.roll_back(before, f"stopped operation {work.approval_id}")

    def finish(self, work: Work, over: Over) -> None:
        """Tell nobody: Vercel keeps account of its moves by itself."""

    def _ours(self, work: Work, project: Project, request: AliasRequest) -> Sight:
        link = work.facts["link"]
        if request.jobStatus == "failed":
            builds = self.vercel.builds(work.sha)
            build = next((b for b in builds if b.uid == work.facts["deployment"]), None)
            why = one_line(build.aliasError.message) if build and build.aliasError else ""
            stand = [one_line(f"{one.alias}: {one.status}") for one in self.vercel.aliases()]
            return Over(
                ok=False,
                link=link,
                step="domains",
                error="Vercel could not move all domains",
                tail=(*stand, why) if why else tuple(stand),
                undo=bool(work.facts["before"]),
            )
        if request.goes_on:
            aliases = self.vercel.aliases()
            done = sum(one.status == "completed" for one in aliases)
            mark = " ".join(f"{one.alias} {one.status}" for one in aliases)
            step = f"domains ({done} of {len(aliases)})"
            return Going(step, link, f"{request.jobStatus} {mark}")
        if work.stopping and work.facts["before"]:
            return Going("undo", link, "it was promoted before it could be stopped")
        if not _leads_to(project, work.facts["deployment"]):
            return Going("domains", link, "promoted, and not live yet")
        return Over(ok=True, link=link)


class VercelTarget(Remote[VercelProject]):
    """One service of one environment, live as a Vercel project."""

    def __init__(self, site: Site) -> None:
        table = site.catalog.services[site.service].target
        if not isinstance(table, VercelTable):
            raise TypeError(f"{site.service} has no table of kind vercel")
        super().__init__(site, table, VercelProject(site, table))


def _name_of(request: AliasRequest | None) -> str:
    return "" if request is None else f"{request.toDeploymentId} {request.requestedAt}"


def _leads_to(project: Project, deployment: str) -> bool:
    production = project.targets.production
    return production is not None and production.id == deployment

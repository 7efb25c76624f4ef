"""The targets that run elsewhere, each with its place on the loopback interface, ready for the contract."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from github_api.server import TOKEN, GitHubApi
from kubernetes_api.server import TOKEN as KUBERNETES_TOKEN
from kubernetes_api.server import KubernetesApi
from loopback_api import LoopbackApi
from shop import Shop, now, quick
from target_harness import Mode, Moment
from vercel_api.server import TOKEN as VERCEL_TOKEN
from vercel_api.server import VercelApi

from deploy.catalog import Catalog
from deploy.connections import Connections
from deploy.look import Look
from deploy.target import Order


class _Remote:
    """A shop that is deployed by what an API is asked."""

    kind: str
    api: LoopbackApi

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = Shop(folder)
        self._stack = ExitStack()
        self._stack.enter_context(self.api.serving())

    def look(self, mode: Mode = "quick", **settings: object) -> Look:
        self.goes(mode)
        tables = quick(self.shop).model_dump()
        own = {"kind": self.kind, "base": self.folder / "journals", "look_again_seconds": 0.02}
        tables["services"]["backend"]["target"] = own | self.target_table() | settings
        catalog = Catalog.model_validate(tables)
        return Look(catalog, clock=now, connections=self.connections())

    def goes(self, mode: Mode) -> None:
        """Let the place do what it is asked for like this."""
        raise NotImplementedError

    def target_table(self) -> dict[str, Any]:
        raise NotImplementedError

    def connections(self) -> Connections:
        raise NotImplementedError

    def order(self, look: Look, ref: str, **changes: object) -> Order:
        order = self.shop.order(look.plan("deploy", "backend", ref, "staging"))
        return Order.model_validate(order.model_dump() | changes)

    def close(self) -> None:
        self._stack.close()
        assert self.api.violations == []


class GitHubHarness(_Remote):
    """A workflow of GitHub Actions, with tags and deployments."""

    kind = "github_actions"
    acts = "dispatch"
    moments = tuple(
        Moment(step, when) for step in ("tag", "record", "dispatch") for when in ("begins", "ended")
    )

    def __init__(self, folder: Path) -> None:
        self.api: GitHubApi = GitHubApi()
        super().__init__(folder)

    def goes(self, mode: Mode) -> None:
        self.api.ends_as = "failure" if mode == "fails" else "success"
        self.api.takes = 1_000_000 if mode in ("slow", "silent") else 2
        self.api.says = mode == "slow"

    def target_table(self) -> dict[str, Any]:
        return {
            "repository": self.api.repository,
            "workflow": self.api.workflow,
            "tag": "{environment}-{date}-{n}",
        }

    def connections(self) -> Connections:
        return Connections(github_url=self.api.url, github_token=TOKEN)

    def runs(self) -> list[str]:
        return [run.inputs["sha"] for run in self.api.runs]

    def acting(self) -> bool:
        return any(run.status != "completed" for run in self.api.runs)

    def truth(self) -> str | None:
        ended = [run for run in self.api.runs if run.conclusion == "success"]
        return ended[-1].inputs["sha"] if ended else None

    def let_go(self) -> None:
        for run in self.api.runs:
            run.takes = 0


class PlainGitHubHarness(GitHubHarness):
    """The same without tags and deployments, on a server that never names the run it starts."""

    moments = (Moment("dispatch", "begins"), Moment("dispatch", "ended"))

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.api.details = "none"

    def target_table(self) -> dict[str, Any]:
        table = super().target_table()
        del table["tag"]
        return table | {"deployments": False}


class VercelHarness(_Remote):
    """A Vercel project that has a build of every release."""

    kind = "vercel"
    acts = "promote"
    moments = (Moment("promote", "begins"), Moment("promote", "ended"))

    def __init__(self, folder: Path) -> None:
        self.api: VercelApi = VercelApi()
        super().__init__(folder)
        repository = self.look().repository("backend")
        for tag in ("v1.0.0", "v1.1.0", "v1.2.0"):
            self.api.build(repository.resolve(tag).sha)

    def goes(self, mode: Mode) -> None:
        self.api.fails = mode == "fails"
        self.api.takes = 1_000_000 if mode in ("slow", "silent") else 2
        self.api.says = mode == "slow"

    def target_table(self) -> dict[str, Any]:
        return {"project": self.api.project}

    def connections(self) -> Connections:
        return Connections(vercel_url=self.api.url, vercel_token=VERCEL_TOKEN)

    def runs(self) -> list[str]:
        moves = [move for move in self.api.moves if move.kind == "promote"]
        return [self.api.sha_of(move.to) or "" for move in moves]

    def acting(self) -> bool:
        return bool(self.api.moves) and self.api.moves[-1].status in ("pending", "in-progress")

    def truth(self) -> str | None:
        return self.api.sha_of(self.api.live)

    def let_go(self) -> None:
        self.api.takes = 0


class KubernetesHarness(_Remote):
    """A Deployment whose images are named after commits."""

    kind = "kubernetes"
    acts = "set-image"
    moments = (Moment("set-image", "begins"), Moment("set-image", "ended"))

    def __init__(self, folder: Path) -> None:
        self.api: KubernetesApi = KubernetesApi()
        super().__init__(folder)

    def goes(self, mode: Mode) -> None:
        self.api.fails = mode == "fails"
        self.api.takes = 1_000_000 if mode in ("slow", "silent") else 3
        self.api.says = mode == "slow"

    def target_table(self) -> dict[str, Any]:
        return {
            "server": self.api.url,
            "namespace": "shop",
            "deployment": "{service}",
            "container": "web",
            "image": "registry.example/backend:{sha}",
        }

    def connections(self) -> Connections:
        return Connections(kubernetes_token=KUBERNETES_TOKEN)

    def runs(self) -> list[str]:
        forward = [rollout for rollout in self.api.rollouts if not rollout.is_back]
        return [rollout.image.partition(":")[2] for rollout in forward]

    def acting(self) -> bool:
        return bool(self.api.rollouts) and self.api.rollouts[-1].state == "going"

    def truth(self) -> str | None:
        return self.api.live.partition(":")[2]

    def let_go(self) -> None:
        self.api.takes = 0

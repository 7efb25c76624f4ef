"""Every point at which things can go wrong is come to: in a company at work, or where work runs elsewhere."""

from contextlib import closing
from pathlib import Path

import pytest
from failing import going_wrong
from faults.whole_company import WholeCompany
from remote_harnesses import GitHubHarness, KubernetesHarness, VercelHarness
from target_harness import carried_out, followed

from deploybot.events import DeployOutcomeUnknown, TestsPassed
from deploybot.failpoints import POINTS

pytestmark = pytest.mark.slow

ELSEWHERE = ("github.", "vercel.", "kubernetes.", "elsewhere.", "lease.let_go.")
MAILBOXES = ("imap.",)
"""Come to by `test_mailbox_kills`, which has a real mailbox and kills at each of them."""


def test_a_company_at_work_comes_to_every_point_but_those_elsewhere(company: WholeCompany) -> None:
    company.web.failing.arm("target.*:kill@1000000")
    company.failing.arm("target.step.after:kill@2")

    dead = company.approved()
    assert isinstance(company.ends(dead), DeployOutcomeUnknown)
    company.says("ann", "what is live, please, and where?")
    company.web.call("POST", "/api/threads", {"text": "deploy frontend"}, key="points")
    hold, renewals = company.set("hold"), "lease.renew.before"
    lives = company.asks_for("frontend", "staging")
    company.until(lambda: company.failing.visits().of(renewals), "the lease is renewed")
    hold.unlink()
    company.until(lambda: company.of(lives, TestsPassed), "the tests run")
    company.comes_to_rest()
    wanted = {name for name in POINTS if not name.startswith((*ELSEWHERE, *MAILBOXES))}

    def missing() -> set[str]:
        visits = (company.failing.visits(), company.web.failing.visits())
        return wanted - {name for one in visits for name in one.counts}

    company.until(lambda: not missing(), "all are come to")


@pytest.mark.parametrize("kind", [GitHubHarness, VercelHarness, KubernetesHarness])
def test_work_that_runs_elsewhere_comes_to_its_points(kind: type, tmp_path: Path) -> None:
    with closing(kind(tmp_path)) as harness, going_wrong("mail.*:kill") as visits:
        look = harness.look()
        order = harness.order(look, "v1.1.0")
        target = look.target(order.plan.service, order.plan.environment)
        carried_out(target, order)
        followed(target, order)

    place = {GitHubHarness: "github", VercelHarness: "vercel", KubernetesHarness: "kubernetes"}[
        kind
    ]
    names = {f"{place}.call.before", f"{place}.call.after", "elsewhere.launch.before"}
    names |= {"elsewhere.launch.after", "elsewhere.look.before"}
    assert names <= visits.counts.keys()

"""What each reason code means, and what helps; where a rule refuses, it says so about the case at hand."""

from deploy.errors import ReasonCode

REASONS: dict[ReasonCode, tuple[str, str]] = {
    "unknown_service": (
        "No service has this name, or it has no place in that environment.",
        "Use a name that the answer suggests.",
    ),
    "unknown_environment": (
        "No environment has this name.",
        "Use a name that the answer suggests.",
    ),
    "ref_missing": (
        "No tag, branch or commit has this name.",
        "Name one that exists; a short commit needs at least 7 digits.",
    ),
    "ref_ambiguous": (
        "The name means several things: a tag and a branch, or several commits.",
        "Give the full commit.",
    ),
    "ref_malformed": (
        "The name could be read as something other than a name.",
        "Rename the tag or branch, or give the commit.",
    ),
    "branch_not_allowed": (
        "The commit is on none of the environment's `allowed_branches`.",
        "Merge it there first.",
    ),
    "already_live": ("It is live there already.", "Nothing needs to be done."),
    "not_verified_in": (
        (
            "The commit is not live in the environment of `verified_in`, or its tests have not passed "
            "there."
        ),
        "Deploy it there first, and let its tests pass.",
    ),
    "checks_missing": (
        "GitHub knows no check of a name in `required_checks` for the commit.",
        "Let the check run.",
    ),
    "checks_failed": ("A required check failed.", "Mend it and propose the new commit."),
    "checks_pending": ("A required check has not ended.", "Ask again when it has."),
    "too_many_commits": (
        "More commits than `max_commits` would go live at once, and `over_max_commits` is `refuse`.",
        "Deploy a commit that lies between first.",
    ),
    "service_order": (
        (
            "A service of its `after` is not live there, or not at the same commit of the repository "
            "they share."
        ),
        "Deploy that one first, or both in one request.",
    ),
    "nobody_can_approve": (
        "Too few approvers are left once those who asked are taken out.",
        "Let somebody else ask, or add approvers.",
    ),
    "frozen": (
        "The environment is in a freeze window.",
        "Ask again at the opening that the answer names, or let somebody ask who may pass.",
    ),
    "locked": (
        "Somebody locked the service or the environment.",
        "Ask the owner to release it; the owner may go on.",
    ),
    "environment_held": (
        "After a roll back the service is held, so that the bad commit does not come back.",
        "Mend the cause; then an approver unlocks it.",
    ),
    "operation_running": (
        "Another operation changes the service there now.",
        "Wait until it has ended.",
    ),
    "in_line": ("Others wait for the same place and came first.", "Wait for your turn."),
    "never_live": (
        "A roll back names a commit that was never live there.",
        "Deploy it instead, or name one that was.",
    ),
    "no_earlier_release": (
        "There is no earlier verified release to go back to.",
        "Name a commit that was live there, or deploy one.",
    ),
    "plan_changed": (
        "What would run is no longer what was agreed to.",
        "Propose it again.",
    ),
    "time_refused": (
        "The start that was asked for is past, too far ahead, or no time at all.",
        "Name another one.",
    ),
    "facts_unavailable": (
        (
            "Something that decides could not be found out: the repository, a target or GitHub does "
            "not answer."
        ),
        "Mend what the answer names and ask again.",
    ),
}
"""Reason code → what it means, what helps; in the order in which the chain looks."""

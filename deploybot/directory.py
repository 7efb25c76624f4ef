"""Who is in which group by the configuration alone, and rights looked up for one decision."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from deploy.approval_tables import ApprovalTable, CircleKey, GroupTable
from deploy.catalog import Catalog
from deploybot.approvals import Refusal, Rights
from deploybot.errors import LookupFailedError
from deploybot.ports import Deployer, Directory, People
from deploybot.rule import BreakGlass, Circle, Escalation, Group, Rule, StandIn


class ConfiguredDirectory:
    """Implements ports.Directory with the groups of the configuration; every account may answer."""

    def __init__(self, groups: Mapping[str, GroupTable]) -> None:
        self._groups = groups

    def members(self, group: str) -> frozenset[str]:
        """Return who is named in the group; what only Slack knows cannot be found out here."""
        table = self._groups.get(group)
        if table is None:
            raise LookupFailedError(f"there is no group {group!r} any more")
        if table.slack:
            raise LookupFailedError(
                f"{group} is a Slack user group, and no SLACK_BOT_TOKEN is set to ask Slack with"
            )
        return frozenset(table.people)

    def refusal(self, person: str, channel: str) -> Refusal | None:
        """Return None: the configuration knows nobody who may not answer."""
        return None


def groups_now(directory: Directory, names: Iterable[str]) -> tuple[Group, ...]:
    """Return these groups with their members; raises LookupFailedError."""
    return tuple(Group(name=name, people=tuple(sorted(directory.members(name)))) for name in names)


def rights_now(
    directory: Directory,
    rule: Rule,
    answers: Iterable[tuple[str, str]],
    stand_ins: Mapping[str, tuple[str, ...]] | None = None,
) -> Rights:
    """Look up who is in the rule's groups, and whose account may not answer.

    `answers` are people and the channels that they answered over, `stand_ins` who answers for whom
    that is away. Raises LookupFailedError.
    """
    stand_ins, refused = stand_ins or {}, dict[str, Refusal]()
    for person, channel in answers:
        for one in (person, *stand_ins.get(person, ())):
            if (refusal := directory.refusal(one, channel)) is not None:
                refused[one] = refusal
    members = {group.name: directory.members(group.name) for group in rule.every_group}
    return Rights(members, refused, stand_ins)


def stand_ins_now(people: People, zone: str, now: datetime) -> dict[str, tuple[str, ...]]:
    """Return who answers today for whom that is away; the day is that of the time zone."""
    return people.stand_ins(now.astimezone(ZoneInfo(zone)).date())


def approvers_now(directory: Directory, catalog: Catalog, environment: str) -> tuple[str, ...]:
    """Return who may approve there now, members of groups too; only who is named if none can tell."""
    table = catalog.environments.get(environment)
    if table is None:
        return ()
    try:
        groups = groups_now(directory, table.groups)
    except LookupFailedError:
        return catalog.approvers(environment)
    members = (person for group in groups for person in group.people)
    return tuple(dict.fromkeys((*table.named, *members)))


def escalated_to(directory: Directory, rule: Rule) -> tuple[str, ...]:
    """Return the next people to call: as they are now, or as they were when nobody can tell."""
    circle = rule.escalation or Circle()
    try:
        now = Circle(
            named=circle.named, groups=groups_now(directory, (g.name for g in circle.groups))
        )
    except LookupFailedError:
        return circle.people
    return now.people


def rule_of(
    deployer: Deployer, environment: str, directory: Directory, people: People, now: datetime
) -> Rule:
    """Return who may approve for an environment, as configured and looked up now.

    Raises LookupFailedError when nobody can tell who is in a group.
    """
    table = deployer.catalog.environments[environment]
    groups = groups_now(directory, table.groups)
    members = (person for group in groups for person in group.people)
    approvers = tuple(dict.fromkeys((*table.named, *members)))
    escalation, break_glass = None, None
    if table.escalate_after_seconds is not None:
        escalation = Escalation(
            **_circle(table, "escalate_to", directory), after_seconds=table.escalate_after_seconds
        )
    if table.break_glass:
        break_glass = BreakGlass(
            **_circle(table, "break_glass", directory), skips=table.break_glass_skips
        )
    return Rule(
        approvers=approvers,
        quorum=table.quorum,
        requester_may_approve=table.requester_may_approve,
        automatic=table.automatic,
        expires_seconds=table.expires_seconds,
        named=table.named if groups else (),
        groups=groups,
        one_from_each=table.one_from_each,
        author_may_approve=table.author_may_approve,
        stand_ins=tuple(
            StandIn(person=person, instead_of=one)
            for person, away in stand_ins_now(people, table.time_zone, now).items()
            for one in away
            if one in approvers
        ),
        break_glass=break_glass,
        escalation=escalation,
        remind_after_seconds=table.remind_after_seconds,
        quiet=tuple(dict.fromkeys((*table.quiet, *(p.id for p in people.known if p.quiet)))),
    )


def _circle(table: ApprovalTable, key: CircleKey, directory: Directory) -> dict[str, Any]:
    named, groups = table.circle(key)
    return {"named": named, "groups": groups_now(directory, groups)}

"""Who is in which group by the configuration alone, and rights looked up for one decision."""

from collections.abc import Iterable, Mapping

from deploy.approval_tables import GroupTable
from deploybot.approvals import Group, Refusal, Rights, Rule
from deploybot.errors import LookupFailedError
from deploybot.ports import Directory


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


def rights_now(directory: Directory, rule: Rule, answers: Iterable[tuple[str, str]]) -> Rights:
    """Look up who is in the rule's groups, and whose account may not answer.

    `answers` are people and the channels that they answered over. Raises LookupFailedError.
    """
    refused = {
        person: refusal
        for person, channel in answers
        if (refusal := directory.refusal(person, channel)) is not None
    }
    members = {group.name: directory.members(group.name) for group in rule.groups}
    return Rights(members, refused)

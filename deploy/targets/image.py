"""Which image a commit is, by its tag or by its digest, and which commit an image is."""

import re
from collections.abc import Iterable
from pathlib import Path

from deploy import placeholders, process
from deploy.errors import DeniedError
from deploy.records import IntentRecord, Record, SwitchedRecord
from deploy.remote_tables import KubernetesTable, filled
from deploy.target import Site

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHA = "[0-9a-f]{40}(?:[0-9a-f]{24})?"


def image_before(newest_first: Iterable[Record], sha: str) -> str | None:
    """Return the image that a commit last went live with; None if it never did."""
    approvals: set[str] = set()
    for record in newest_first:
        if isinstance(record, SwitchedRecord) and record.sha == sha:
            approvals.add(record.approval_id)
        elif isinstance(record, IntentRecord) and record.approval_id in approvals:
            return record.facts.get("image")
    return None


class Images:
    """The images of one service, as its table names them."""

    def __init__(self, table: KubernetesTable, site: Site) -> None:
        self._table = table
        self._site = site
        self._template = filled(table.image, site.service, site.environment)
        before, _, after = self._template.partition("{sha}")
        self._pattern = re.compile(f"{re.escape(before)}({_SHA}){re.escape(after)}")

    def of(self, sha: str) -> str:
        """Return the image of a commit; raises DeniedError if its digest cannot be had."""
        if self._table.digest is None:
            return self._template.replace("{sha}", sha)
        return self._template.replace("{digest}", self._digest(sha, self._table.digest))

    def sha_in(self, image: str) -> str | None:
        """Return the commit that an image is named after; None if it is not named so."""
        found = self._pattern.fullmatch(image) if "{sha}" in self._template else None
        return found.group(1) if found else None

    def _digest(self, sha: str, command: tuple[str, ...]) -> str:
        site = self._site
        values = {"sha": sha, "service": site.service, "environment": site.environment}
        try:
            ran = process.run(
                placeholders.fill(command, values),
                directory=Path("/"),
                variables=self._table.variables,
                seconds=self._table.digest_timeout_seconds,
                guard=lambda: None,
                log=lambda _: None,
            )
        except OSError as error:
            text = f"The command that prints an image's digest cannot be run: {error}."
            raise DeniedError(text, 0) from None
        found = _DIGEST.fullmatch(ran.tail[-1].strip()) if ran.tail else None
        if ran.exit_code != 0 or found is None:
            said = ran.tail[-1] if ran.tail else "nothing"
            text = f"The command that prints an image's digest ended with {ran.exit_code}: {said}"
            raise DeniedError(f"{text[:300].rstrip('.')}.", 0)
        return found.group()

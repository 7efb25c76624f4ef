"""What `deploybot edit` is told to change of an open request, and the call that asks for it."""

from dataclasses import dataclass

from deploybot.approvals import ApprovalRequest
from deploybot.cli.client import Json
from deploybot.errors import ConfigError


@dataclass(frozen=True)
class Changes:
    """What was typed: `refs` as `service=ref`, or a ref alone where there is one service."""

    refs: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    start: str = ""
    why: str = ""

    def of(self, request: ApprovalRequest) -> Json:
        """Return the body of the call; raises ConfigError for what makes no sense of this request."""
        body: Json = {"request": request.id, "digest": request.digest, "comment": self.why}
        if self.start:
            body["start"] = self.start
        if self.refs or self.order or self.left_out:
            body["parts"] = self._parts(request)
        if len(body) == 3:
            raise ConfigError(
                "Say what is to be different, with --ref, --order, --leave-out or --start; nothing "
                "was sent."
            )
        return body

    def _parts(self, request: ApprovalRequest) -> list[Json]:
        refs = {plan.service: plan.ref for plan in request.plans}
        for given in self.refs:
            service, named, ref = given.partition("=")
            if not named and len(refs) > 1:
                raise ConfigError(
                    f"It is about {', '.join(refs)}: say which, as --ref {next(iter(refs))}={given}; "
                    "nothing was sent."
                )
            service, ref = (service, ref) if named else (next(iter(refs)), given)
            _known(service, refs)
            refs[service] = ref
        for service in (*self.order, *self.left_out):
            _known(service, refs)
        first = dict.fromkeys(self.order)
        order = [*first, *(service for service in refs if service not in first)]
        return [
            {"service": service, "ref": refs[service]}
            for service in order
            if service not in self.left_out
        ]


def _known(service: str, refs: dict[str, str]) -> None:
    if service not in refs:
        raise ConfigError(
            f"The open request is about {', '.join(refs)}, and not about {service}; nothing was sent."
        )

"""Holds on an environment, and which plans they stop; where holds are kept is not known here."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from deploy.plan import Action


class Hold(BaseModel):
    """A person, or a roll back, keeps a service (None: every service) of an environment as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str | None
    environment: str
    owner: str
    reason: str
    at: AwareDatetime
    expires: AwareDatetime | None = None
    made_by: Literal["person", "rollback"] = "person"
    warn_only: bool = False
    """Whether it only warns: deploys go on, and say so."""
    reminded: AwareDatetime | None = None
    """When its owner was last asked whether it is still wanted."""
    thread: str = ""
    """Where it was said, for whoever keeps conversations."""

    def covers(self, service: str, environment: str, now: AwareDatetime) -> bool:
        """Tell whether this hold is about that service there, and has not run out at `now`."""
        here = self.environment == environment and self.service in (None, service)
        return here and (self.expires is None or now < self.expires)

    def stops(
        self,
        action: Action,
        service: str,
        environment: str,
        now: AwareDatetime,
        requesters: tuple[str, ...] = (),
    ) -> bool:
        """Tell whether this hold forbids the action.

        The owner of a person's hold may go on, alone or with others, and one that only warns
        forbids nothing. A hold that a roll back made stops everyone's deploys, but no further roll
        back: the way back to what worked stays open.
        """
        if self.warn_only or not self.covers(service, environment, now):
            return False
        if self.made_by == "rollback":
            return action == "deploy"
        return self.owner not in requesters

"""The API's routes for locks: who keeps a service, or a whole environment, as it is."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.responses import Response

from deploybot.errors import CallerError
from deploybot.inbox import Receipt
from deploybot.web.api_bodies import Locking, Nothing
from deploybot.web.api_callers import call_of, caller_of
from deploybot.web.api_description import said
from deploybot.web.api_models import Lock, LockTold
from deploybot.web.deps import Deps
from deploybot.web.idempotency import Call, once
from deploybot.web.json_body import body_of
from deploybot.web.problem import answer_to, problem

PLACE = "/environments/{environment}/services/{service}/lock"
EVERYTHING = "/environments/{environment}/lock"
STATUS = {
    "unknown_person": 403,
    "not_allowed": 403,
    "not_an_approver": 403,
    "unknown_environment": 404,
    "unknown_service": 404,
}
"""What a refusal answers by its reason; the others are about how things stand, and answer 409."""
Name = Annotated[str, Path(min_length=1, max_length=100)]


class Locks:
    """What the routes do with locks."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._holding = deps.holding

    def show(self, service: str | None, environment: str) -> JSONResponse:
        """Return who keeps a place as it is; 404 when there is no such place."""
        table = self._deps.deployer.catalog.environments.get(environment)
        if table is None or (service is not None and service not in table.services):
            known = table.services if table else self._deps.deployer.catalog.environments
            text = f"There is no such place; nothing was done. Known: {', '.join(known) or 'none'}."
            return problem(404, text)
        return JSONResponse(self._lock(service, environment).model_dump(mode="json"))

    def change(self, call: Call, service: str | None, environment: str, body: Locking) -> Response:
        """Lock a place, or change its lock."""
        return self._once(
            call,
            service,
            environment,
            body,
            lambda: self._changed(call, service, environment, body),
        )

    def unlock(self, call: Call, service: str | None, environment: str) -> Response:
        """Free a place."""
        return self._once(
            call,
            service,
            environment,
            Nothing(),
            lambda: self._holding.unlock(
                service, environment, by=call.caller.by, delivery=call.delivery
            ),
        )

    def _changed(self, call: Call, service: str | None, environment: str, body: Locking) -> Receipt:
        holding, by, delivery = self._holding, call.caller.by, call.delivery
        match body.how:
            case "locked":
                return holding.lock(
                    service,
                    environment,
                    reason=body.reason,
                    seconds=body.seconds,
                    until=body.until,
                    warn_only=body.warn_only,
                    by=by,
                    delivery=delivery,
                )
            case "extended":
                return holding.extend(
                    service,
                    environment,
                    seconds=body.seconds,
                    until=body.until,
                    by=by,
                    delivery=delivery,
                )
            case "handed_over":
                return holding.hand_over(service, environment, to=body.to, by=by, delivery=delivery)
            case "taken_over":
                return holding.take_over(
                    service, environment, reason=body.reason, by=by, delivery=delivery
                )

    def _once(
        self,
        call: Call,
        service: str | None,
        environment: str,
        body: BaseModel,
        do: Callable[[], Receipt],
    ) -> Response:
        """Do it unless it was done, and answer with how things stand then."""

        def answered() -> JSONResponse:
            try:
                receipt = do()
            except CallerError as error:
                if (answer := answer_to(error)) is None:
                    raise
                return answer
            if not receipt.accepted:
                status = STATUS.get(receipt.reason_code, 409)
                return problem(status, receipt.text, reason_code=receipt.reason_code)
            lock = self._lock(service, environment)
            told = LockTold(**dict(lock), text=receipt.text)
            return JSONResponse(told.model_dump(mode="json"))

        return once(self._deps.answers, call, body, answered)

    def _lock(self, service: str | None, environment: str) -> Lock:
        everything = self._holding.of(None, environment) if service else None
        return Lock(hold=self._holding.of(service, environment), of_the_environment=everything)


def add(routes: APIRouter, deps: Deps) -> None:
    """Add the routes: each place once for a service, and once for everything in an environment."""
    locks = Locks(deps)
    reader = Depends(caller_of(deps, "read"))
    locker = Depends(call_of(deps, "lock"))
    wish = Depends(body_of(Locking, optional=True))

    @routes.get(
        PLACE, dependencies=[reader], **said("read_lock", "Who holds a service", Lock, missing=True)
    )
    def show(environment: Name, service: Name) -> JSONResponse:
        """Tell who keeps it as it is, since when, why, and until when."""
        return locks.show(service, environment)

    @routes.get(
        EVERYTHING,
        dependencies=[reader],
        **said("read_environment_lock", "Who holds an environment", Lock, missing=True),
    )
    def show_all(environment: Name) -> JSONResponse:
        """Tell who keeps all of it as it is."""
        return locks.show(None, environment)

    @routes.put(PLACE, **said("lock", "Lock a service", LockTold, body=Locking, missing=True))
    def lock(
        call: Annotated[Call, locker],
        environment: Name,
        service: Name,
        body: Annotated[Locking, wish],
    ) -> Response:
        """Keep others' deploys away, or extend, hand over or take over a lock."""
        return locks.change(call, service, environment, body)

    @routes.put(
        EVERYTHING,
        **said("lock_environment", "Lock an environment", LockTold, body=Locking, missing=True),
    )
    def lock_all(
        call: Annotated[Call, locker], environment: Name, body: Annotated[Locking, wish]
    ) -> Response:
        """Keep others' deploys away from everything in it, or change its lock."""
        return locks.change(call, None, environment, body)

    @routes.delete(
        PLACE, **said("unlock", "Unlock a service", LockTold, changes=True, missing=True)
    )
    def unlock(
        call: Annotated[Call, locker],
        environment: Name,
        service: Name,
    ) -> Response:
        """Let deploys go on; what is free already stays free."""
        return locks.unlock(call, service, environment)

    @routes.delete(
        EVERYTHING,
        **said("unlock_environment", "Unlock an environment", LockTold, changes=True, missing=True),
    )
    def unlock_all(call: Annotated[Call, locker], environment: Name) -> Response:
        """Let deploys go on everywhere in it, but where a service is locked by itself."""
        return locks.unlock(call, None, environment)

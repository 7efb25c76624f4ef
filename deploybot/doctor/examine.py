"""Everything that is looked at, in the order in which an installation is made."""

from collections.abc import Iterator, Mapping

from deploybot.bootstrap import new_id, now
from deploybot.config import read_settings
from deploybot.doctor.deploys import of_deploys
from deploybot.doctor.finding import Finding, ok, wrong
from deploybot.doctor.mail import of_mail
from deploybot.doctor.mailboxes import of_mailboxes
from deploybot.doctor.models import of_models
from deploybot.doctor.own import of_people, of_the_file, of_the_machine, of_tokens
from deploybot.doctor.slack import of_slack
from deploybot.doctor.store import of_the_store
from deploybot.errors import ConfigError
from deploybot.ports import Clockwork


def findings(environ: Mapping[str, str] | None = None, *, paid: bool = False) -> Iterator[Finding]:
    """Yield what is found, as it is found; `paid` lets each model be asked once."""
    try:
        settings = read_settings(environ)
    except ConfigError as error:
        yield wrong("settings", str(error), "")
        return
    yield ok("settings", "The settings can be read.")
    configuration, told = of_the_file(settings, environ)
    yield from told
    yield from of_the_machine(settings)
    yield from of_the_store(settings)
    if configuration is not None:
        yield from of_people(configuration, settings)
        yield from of_deploys(settings, configuration)
    yield from of_tokens(settings, configuration)
    yield from of_slack(settings, configuration)
    yield from of_mail(settings, configuration)
    yield from of_mailboxes(settings)
    clock = Clockwork(now=now, new_id=new_id)
    yield from of_models(settings, configuration, clock, paid=paid)

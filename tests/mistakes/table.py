"""Mistakes that somebody could make, each as exact replacements in the code, and the tests that must turn red."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """What stands in a file, once, and what the mistake puts there."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mistake:
    """One mistake; `caught_by` are the names of tests, as pytest takes them."""

    name: str
    means: str
    changes: tuple[Change, ...]
    caught_by: tuple[str, ...]


OPERATE = "tests/unit/test_operate.py::"
STORES = "tests/contracts/test_stores.py::"
STORED = "tests/contracts/test_store_on_redis.py::"
SLACK = "tests/acceptance/test_slack_requests.py::"
ROLLED_BACK = "tests/acceptance/test_slack_rolled_back.py::"
PAGES = "tests/unit/web/pages/test_acting.py::"
QUEUE = "tests/contracts/test_queue.py::"
TUTORIAL = "tests/tutorial/test_conversations.py::"

MISTAKES = (
    Mistake(
        "no dedupe",
        "The store looks no delivery up, so that a delivery that comes again is heard again.",
        (
            Change(
                "deploybot/store_scripts/append.lua",
                "  if holder then\n    return {'duplicate', index, holder}\n  end\n",
                "",
            ),
        ),
        (
            f"{STORES}test_a_delivery_is_heard_once_even_by_another_thread[redis]",
            f"{STORES}test_the_same_delivery_many_times_at_once_is_one_event[redis]",
        ),
    ),
    Mistake(
        "answered before it is stored",
        "Slack is told 200, and the event is stored behind its back.",
        (
            Change(
                "deploybot/web/slack_bolt.py",
                "        desk.hear(body)\n        return ack()\n",
                "        __import__('threading').Thread(target=_later, args=(desk, body)).start()\n"
                "        return ack()\n",
            ),
            Change(
                "deploybot/web/slack_bolt.py",
                "def dispatched(",
                "def _later(desk: SlackDesk, body: Json) -> None:\n"
                "    try:\n        desk.hear(body)\n    except OperatorError:\n        pass\n\n\n"
                "def dispatched(",
            ),
        ),
        (f"{SLACK}test_slack_is_asked_to_deliver_again_while_the_store_is_away",),
    ),
    Mistake(
        "no digest check",
        "An answer counts whatever it was shown, and the start compares nothing.",
        (
            Change(
                "deploybot/answers.py",
                "    if request.digest != digest or request.sealed().digest != digest:",
                "    if not digest:",
            ),
            Change(
                "deploybot/thread.py",
                "        wrong = event.digest != request.digest or _is_late(",
                "        wrong = _is_late(",
            ),
            Change(
                "deploybot/gate.py",
                "            changes = (*changes, *differences(shown, plan))\n",
                "            differences(shown, plan)\n",
            ),
        ),
        (
            f"{OPERATE}test_a_yes_to_something_else_than_is_open_counts_for_nothing",
            f"{TUTORIAL}test_a_request_whose_commit_moved_is_shown_anew",
        ),
    ),
    Mistake(
        "no expiry",
        "A request can be answered and started at any time.",
        (
            Change(
                "deploybot/answers.py",
                "    if now >= request.expires_at and thread.standing.status",
                "    if not now and thread.standing.status",
            ),
            Change(
                "deploybot/thread.py",
                "            return event.at >= request.expires_at\n",
                "            return False\n",
            ),
            Change(
                "deploybot/gate.py",
                "        if part == 0 and now >= request.start_by:\n",
                "        if not now:\n",
            ),
        ),
        (
            f"{OPERATE}test_a_yes_after_the_end_counts_for_nothing_though_no_clock_has_told",
            f"{OPERATE}test_what_was_approved_too_long_ago_does_not_start",
        ),
    ),
    Mistake(
        "rights are not looked up again",
        "Whoever could approve once has approved for good.",
        (
            Change(
                "deploybot/gate.py",
                "    if is_met(request, grants, rights):\n",
                "    if grants:\n",
            ),
        ),
        (f"{OPERATE}test_whoever_lost_the_right_meanwhile_has_approved_nothing",),
    ),
    Mistake(
        "no fence",
        "A target obeys an order that is older than one it has seen.",
        (
            Change(
                "deploy/journal.py",
                "        if last is not None and fence <= last and not shared:",
                "        if last is None and shared:",
            ),
        ),
        ("tests/unit/deploy/test_journal.py::test_a_fence_must_be_newer_than_the_last",),
    ),
    Mistake(
        "the job library tries again",
        "Wake-ups are stored with RQ's retry, and workers take it.",
        (
            Change(
                "deploybot/queue.py",
                "        failure_ttl=FAILED_SECONDS,\n",
                "        failure_ttl=FAILED_SECONDS,\n        retry=__import__('rq').Retry(max=1),\n",
            ),
            Change("workers/worker.py", '            "a retry": self.retries_left,\n', ""),
            Change("workers/worker.py", "        self.retries_left = None\n", ""),
        ),
        ("tests/contracts/test_queue.py::test_a_job_that_crashes_is_not_run_again_by_the_library",),
    ),
    Mistake(
        "any server may vouch",
        "Any Authentication-Results that says pass will do, whoever wrote it.",
        (
            Change(
                "deploybot/inbound/email_authentication.py",
                "        if claimed is None or claimed.casefold() != authserv_id.casefold():\n",
                "        if claimed is None:\n",
            ),
            Change(
                "deploybot/inbound/email_authentication.py",
                '        return verdict == "pass" and header_from == [domain.casefold()]\n',
                '        if verdict == "pass" and header_from == [domain.casefold()]:\n'
                "            return True\n",
            ),
        ),
        ("tests/unit/inbound/test_email.py::test_anything_else_does_not",),
    ),
    Mistake(
        "a link approves",
        "What a form sends is also taken from an address that is only fetched.",
        (
            Change(
                "deploybot/web/pages/acting.py",
                '    routes.post("/threads/{thread_id}/decision")(acts.decide)\n',
                '    routes.api_route("/threads/{thread_id}/decision", methods=["GET", "POST"])(\n'
                "        acts.decide\n    )\n",
            ),
            Change(
                "deploybot/web/pages/door.py",
                '    kind = request.headers.get("content-type", "")',
                '    if request.method == "GET":\n'
                "        return Form(dict(request.query_params))\n"
                '    kind = request.headers.get("content-type", "")',
            ),
        ),
        (f"{PAGES}test_whoever_fetches_what_a_form_would_send_changes_nothing",),
    ),
    Mistake(
        "tags are not escaped",
        "What people write stands in the prompt as they wrote it.",
        (
            Change(
                "deploybot/prompting/values.py",
                '_MARKUP = frozenset("<>&")',
                "_MARKUP: frozenset[str] = frozenset()",
            ),
            Change(
                "deploybot/prompting/values.py",
                '_SEEN = re.compile(r"[ !-%\'-;=?-~]*")',
                '_SEEN = re.compile(r"[ -~]*")',
            ),
        ),
        ("tests/unit/test_prompting.py::test_a_forged_approval_in_a_message_is_only_a_message",),
    ),
    Mistake(
        "a secret in the log",
        "Log lines are written as they are.",
        (
            Change(
                "deploybot/logs.py",
                '        return self.redactor.text(f"{line} [{told}]" if told else line)',
                '        return f"{line} [{told}]" if told else line',
            ),
        ),
        ("tests/unit/test_logs.py::test_a_secret_is_in_no_line_nor_in_its_trace[plain]",),
    ),
    Mistake(
        "the sweeper runs it again",
        "A start whose worker died is made anew, instead of being looked into.",
        (
            Change(
                "deploybot/operate.py",
                '        return self._settle(thread, change, operation, "")\n',
                "        return self._run(thread, change, operation)\n",
            ),
        ),
        (f"{OPERATE}test_a_start_that_never_reached_the_target_has_failed_and_is_not_made_again",),
    ),
    Mistake(
        "a lock is not looked at before the start",
        "What somebody locked after the approval is deployed over.",
        (
            Change(
                "deploy/locks.py",
                "        return self.owner not in requesters",
                "        return not self.owner",
            ),
        ),
        (
            "tests/tutorial/test_holds.py::test_a_lock_in_the_way_lets_others_wait_and_its_owner_pass",
        ),
    ),
    Mistake(
        "a lease is not asked for",
        "A deploy that runs is given up as if its worker had died.",
        (
            Change(
                "deploybot/operate.py",
                "        if self._store.lease_is_alive(operation):\n            return thread\n",
                "",
            ),
        ),
        (f"{OPERATE}test_a_start_is_left_alone_while_its_worker_may_live",),
    ),
    Mistake(
        "the chain is not verified",
        "What somebody wrote into the store is believed.",
        (
            Change(
                "deploybot/chain.py",
                "        if not hmac.compare_digest(_mac(key, previous, entry.body), entry.mac):",
                "        if not _mac(key, previous, entry.body):",
            ),
        ),
        (f"{STORED}test_changed_words_do_not_verify",),
    ),
    Mistake(
        "a mail that comes again is another mail",
        "Mails are told apart by when they came, and not by what they are.",
        (
            Change(
                "deploybot/inbound/email_intake.py",
                '        key = f"email:msg:{mail.semantic}" if mail.verified',
                '        key = f"email:msg:{now.timestamp()}" if mail.verified',
            ),
        ),
        ("tests/unit/inbound/test_email.py::test_the_same_mail_by_two_ways_is_heard_once",),
    ),
    Mistake(
        "a roll back is rolled back",
        "The countdown takes back what a countdown put there.",
        (
            Change(
                "deploybot/pipeline.py",
                '        if plan.action == "deploy" and plan.service not in taken_back | tried:',
                "        if plan.service:",
            ),
        ),
        ("tests/acceptance/test_countdown.py::test_a_roll_back_is_never_rolled_back",),
    ),
    Mistake(
        "the clock of the machine decides",
        "What expires or starts is told by a clock that may be wrong.",
        (
            Change(
                "deploybot/timekeeping.py",
                "        return at + timedelta(seconds=self._monotonic() - then)\n",
                "        return self._local() if at else at + timedelta(seconds=then)\n",
            ),
        ),
        ("tests/unit/test_timekeeping.py::test_a_wrong_clock_does_not_change_the_time",),
    ),
    Mistake(
        "a long queue only gets longer",
        "The clock makes a wake-up again that waits already.",
        (
            Change(
                "deploybot/store_scripts/wake.lua",
                "  if flagged and not redis.call(",
                "  if flagged or not redis.call(",
            ),
        ),
        (f"{QUEUE}test_however_long_a_wake_up_waits_the_clock_makes_no_second_one",),
    ),
    Mistake(
        "a log that was rolled back takes answers",
        "A card may show what its thread has lost, and is answered as if nothing were missing.",
        (
            Change(
                "deploybot/web/slack_desk.py",
                '        return self.lost(about) if about and about.head else ""\n',
                '        return ""\n',
            ),
        ),
        (
            f"{ROLLED_BACK}test_a_thread_that_lost_its_end_takes_no_answer_though_it_knows_the_request",
        ),
    ),
)
"""Twelve that reliability is known to die of, and some that this project could make, or has made."""

"""The guards above the stores: of the intake, of the worker, and in what all stores share."""

from __future__ import annotations

from functools import partial

from acuse.domain.record import Status
from tests.contract import test_together
from tests.guards.broken import row
from tests.unit import test_execute, test_heartbeat, test_intake, test_slot, test_slot_troubles

INTAKE = "acuse.application.intake:"
EXECUTE = "acuse.application.execute:"
SLOT = "acuse.application.slot:Slot."
HEARTBEAT = "acuse.application.heartbeat:Heartbeat."
TOGETHER = "acuse.domain.together:together"

ANSWER_FIRST = """from acuse.domain.outcome import Added
    for offer in batch:
        self._deliver([(offer.waiter, [Added(one.accepted(self._clock.now())) for one in offer.submissions])])
    if shared or not alone:"""

GUARDS = [
    row(
        "group commit: nobody hears of it before it is durable",
        INTAKE + "Intake._commit", "if shared or not alone:", ANSWER_FIRST,
        test_intake.test_a_waiter_hears_only_after_the_commit,
    ),
    row(
        "group commit: a store that failed is not kept secret",
        INTAKE + "Intake._replies", "[error] * len(offer.submissions)", "offer.submissions",
        test_intake.test_a_store_that_fails_is_told_to_those_in_the_batch_and_to_no_other,
    ),
    row(
        "group commit: each hears what came of its own",
        INTAKE + "Intake._replies",
        "offer.submissions)))) for offer in offers]",
        "offer.submissions)))) for offer in reversed(offers)]",
        test_intake.test_each_waiter_hears_what_came_of_its_own,
    ),
    row(
        "conflict: the id is there with another fingerprint",
        INTAKE + "judge", "added.record.fingerprint != submission.fingerprint", "False",
        test_intake.test_the_same_content_is_the_same_request_and_other_content_a_conflict,
    ),
    row(
        "together: a conflict withholds all the others",
        TOGETHER, "if not any(isinstance(one, Conflict) for one in answers):", "if True:",
        test_together.test_nothing_is_added_where_one_is_there_with_other_content,
    ),
    row(
        "together: over SQLite too",
        TOGETHER, "if not any(isinstance(one, Conflict) for one in answers):", "if True:",
        test_together.test_nothing_is_added_where_one_is_there_with_other_content,
        "sqlite",
    ),
    row(
        "together: another fingerprint is a conflict",
        TOGETHER, "there.fingerprint == record.fingerprint", "True",
        test_together.test_nothing_is_added_where_one_is_there_with_other_content,
    ),
    row(
        "attempts: what has used them up is given up",
        EXECUTE + "forgone", "delivery.attempt > policy.attempts", "False",
        test_execute.test_what_was_cut_off_at_every_attempt_is_abandoned,
    ),
    row(
        "attempts: what has used them up is not run",
        SLOT + "_assign", "forgone(one, task, record, policy_of(task.action, self._catalogue))", "None",
        test_slot.test_what_has_used_up_its_attempts_is_not_run_and_fails,
    ),
    row(
        "attempts: the last that does not succeed is the end",
        EXECUTE + "decide", " if delivery.attempt >= policy.attempts", " if False",
        test_execute.test_the_last_attempt_that_does_not_succeed_is_the_end,
    ),
    row(
        "attempts: what has only one left travels alone",
        SLOT + "_travels_alone", " or delivery.attempt >= policy_of(task.action, self._catalogue).attempts", "",
        test_slot.test_what_has_only_one_attempt_travels_alone,
    ),
    row(
        "attempts: what may have taken a worker down travels alone",
        SLOT + "_travels_alone", "delivery.was_cut_off or ", "",
        test_slot.test_what_was_cut_off_travels_alone,
    ),
    row(
        "attempts: only what was begun is charged",
        SLOT + "take", "if one.key not in begun", "if False",
        test_slot_troubles.test_a_runner_that_cannot_be_had_costs_no_attempt_but_of_what_was_begun,
    ),
    row(
        "what has ended is not run again",
        EXECUTE + "task_for", " or subject.status is not Status.ACCEPTED", "",
        partial(test_execute.test_what_has_ended_is_dropped, status=Status.FINISHED),
    ),
    row(
        "merge once: not before the last part has ended",
        EXECUTE + "task_for", "record.progress is not None and record.progress.left", "False",
        test_execute.test_what_waits_for_its_parts_is_dropped,
    ),
    row(
        "heartbeat: a run is delivered once, however long it lasts",
        HEARTBEAT + "beat", "self._queue.extend(held)", "pass",
        test_heartbeat.test_what_is_held_is_delivered_to_nobody_else_while_the_heart_beats,
    ),
    row(
        "heartbeat: it beats for what is run",
        SLOT + "take", "self._heartbeat.hold(deliveries)", "",
        test_slot.test_a_lease_is_renewed_while_its_run_lasts_and_no_longer,
    ),
    row(
        "heartbeat: nothing is received while leases cannot be renewed",
        SLOT + "run", "self._heartbeat.is_well and ", "",
        test_slot_troubles.test_nothing_is_received_while_the_leases_cannot_be_renewed,
    ),
    row(
        "an ending that the store does not take now is tried again",
        SLOT + "_persist", "tries == SETTLE_TRIES or ", "True or ",
        test_slot_troubles.test_an_ending_that_the_store_does_not_take_is_tried_again,
    ),
]  # fmt: skip

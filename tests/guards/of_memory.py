"""The guards of the store and the queue in memory."""

from __future__ import annotations

from tests.contract import test_purge, test_queue, test_store
from tests.guards.broken import row

STORE = "acuse.adapters.memory:MemoryStore."
QUEUE = "acuse.adapters.memory:MemoryQueue."
HELD, ANYBODYS = "if self._memory.holds(one):", "if one.key in self._memory.due:"

GUARDS = [
    row(
        "create only: the first content wins",
        STORE + "add", "if record.id in self._memory.records:", "if False:",
        test_store.test_the_first_content_wins,
    ),
    row(
        "fence: who has lost the lease ends nothing",
        STORE + "_settle", " or not memory.holds(ending.delivery)", "",
        test_store.test_what_was_delivered_before_it_was_reopened_ends_it_no_more,
    ),
    row(
        "fence: who has lost the lease plans nothing",
        STORE + "plan", " or not memory.holds(delivery)", "",
        test_store.test_what_was_delivered_before_it_was_reopened_ends_it_no_more,
    ),
    row(
        "fence: who has lost the lease does not renew it",
        QUEUE + "extend", HELD, ANYBODYS,
        test_queue.test_a_lost_lease_cannot_be_renewed,
    ),
    row(
        "fence: who has lost the lease does not give it back",
        QUEUE + "release", HELD, ANYBODYS,
        test_queue.test_what_another_holds_cannot_be_released,
    ),
    row(
        "lease: it is one worker's alone",
        QUEUE + "_claim", "Due(now + self._lease, token)", "Due(now, token)",
        test_queue.test_what_is_leased_is_delivered_to_nobody_else,
    ),
    row(
        "settle once",
        STORE + "_settle",
        "if subject is None or not subject.status.may_become(ending.status) or not memory.holds(ending.delivery):\n"
        "        return False\n    del memory.due[key]",
        "memory.due.pop(key, None)",
        test_store.test_an_ending_is_recorded_once,
    ),
    row(
        "settle once: a part",
        STORE + "_settle",
        "if subject is None or not subject.status.may_become(ending.status) or not memory.holds(ending.delivery):\n"
        "        return False\n    del memory.due[key]",
        "memory.due.pop(key, None)",
        test_store.test_the_ending_of_a_part_is_recorded_once,
    ),
    row(
        "plan once",
        STORE + "plan", "record.progress is not None or ", "",
        test_store.test_what_is_to_be_merged_is_not_planned_again,
    ),
    row(
        "merge once: only the last part queues it",
        STORE + "_count", "if not progress.left:", "if True:",
        test_store.test_the_last_part_queues_the_merge_once,
    ),
    row(
        "merge at all: the last part queues it",
        STORE + "_count", "if not progress.left:", "if False:",
        test_store.test_parts_ended_by_many_at_once_queue_one_merge,
    ),
    row(
        "attempt first: counted when received, not when ended",
        QUEUE + "_claim", "self._charge(key, 1)", "self._charge(key, 0) + 1",
        test_queue.test_what_a_silent_worker_held_is_delivered_again_as_the_next_attempt,
    ),
    row(
        "attempt: not counted when it was not made",
        QUEUE + "release", "if not charged:", "if False:",
        test_queue.test_an_attempt_that_was_not_made_is_not_charged,
    ),
    row(
        "cut off: who takes over is told",
        QUEUE + "_claim", "was_cut_off=due.token is not None", "was_cut_off=False",
        test_queue.test_what_a_silent_worker_held_is_delivered_again_as_the_next_attempt,
    ),
    row(
        "reopen only what failed",
        STORE + "_reopen", " or record.status is not Status.FAILED", "",
        test_store.test_only_a_failed_request_can_be_reopened,
    ),
    row(
        "reopen only the parts that failed",
        STORE + "_reopen", "if memory.parts[key].status is Status.FAILED", "",
        test_store.test_of_a_split_request_only_the_failed_parts_are_reopened,
    ),
    row(
        "it never ends before it was created",
        STORE + "_settle", "max(ending.at, subject.created_at)", "ending.at",
        test_store.test_it_never_ends_before_it_was_created,
    ),
    row(
        "bound: an action runs no more often at once",
        QUEUE + "_may_run", "return len(leased) < bound", "return True",
        test_queue.test_no_action_is_under_way_more_often_than_its_bound,
    ),
    row(
        "purge only what had ended by then",
        STORE + "purge", "one.finished_at is not None and one.finished_at < before", "one.finished_at is not None",
        test_purge.test_what_ended_before_that_moment_is_gone_and_nothing_else,
    ),
    row(
        "purge only what has ended",
        STORE + "purge", "one.finished_at is not None and one.finished_at < before", "one.created_at < before",
        test_purge.test_what_was_accepted_long_ago_and_has_not_ended_stays,
    ),
]  # fmt: skip

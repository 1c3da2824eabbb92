"""The guards of the store and the queue in SQLite."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract import test_overview, test_purge, test_queue, test_store
from tests.guards import broken
from tests.guards.surgery import Cut

STORE = "acuse.adapters.sqlite.store:"
QUEUE = "acuse.adapters.sqlite.queue:"
PURGE = "acuse.adapters.sqlite.purge:"
OVERVIEW = "acuse.adapters.sqlite.overview:"
HELD, ANYBODYS = "AND lease = ?", "AND ? IS NOT NULL"


def row(guard: str, where: str, text: str, instead: str, proof: Callable[..., None]) -> broken.Broken:
    return broken.row(guard, where, text, instead, proof, "sqlite")


GUARDS = [
    row(
        "create only: the first content wins",
        STORE + "ADD", "DO NOTHING", "DO UPDATE SET body = excluded.body, fingerprint = excluded.fingerprint",
        test_store.test_the_first_content_wins,
    ),
    row(
        "fence: who has lost the lease ends nothing",
        STORE + "SETTLE", HELD, ANYBODYS,
        test_store.test_what_was_delivered_before_it_was_reopened_ends_it_no_more,
    ),
    row(
        "fence: who has lost the lease plans nothing",
        STORE + "PLAN", "AND lease = :lease", "",
        test_store.test_what_was_delivered_before_it_was_reopened_ends_it_no_more,
    ),
    row(
        "fence: who has lost the lease does not renew it",
        QUEUE + "EXTEND", HELD, ANYBODYS,
        test_queue.test_a_lost_lease_cannot_be_renewed,
    ),
    row(
        "fence: who has lost the lease does not give it back",
        QUEUE + "RELEASE", HELD, ANYBODYS,
        test_queue.test_what_another_holds_cannot_be_released,
    ),
    row(
        "lease: it is one worker's alone",
        QUEUE + "CLAIM", "due_at = :until", "due_at = :until - :until",
        test_queue.test_what_is_leased_is_delivered_to_nobody_else,
    ),
    row(
        "settle once",
        STORE + "SETTLE", "AND lease = ? AND status = 'accepted'", ANYBODYS,
        test_store.test_an_ending_is_recorded_once,
    ),
    row(
        "settle once: a part",
        STORE + "SETTLE", "AND lease = ? AND status = 'accepted'", ANYBODYS,
        test_store.test_the_ending_of_a_part_is_recorded_once,
    ),
    row(
        "plan once",
        STORE + "PLAN", " AND parts IS NULL", "",
        test_store.test_what_is_to_be_merged_is_not_planned_again,
    ),
    row(
        "merge once: only the last part queues it",
        STORE + "COUNT_PART", "due_at = CASE parts_left WHEN 1 THEN 0 END", "due_at = 0",
        test_store.test_the_last_part_queues_the_merge_once,
    ),
    row(
        "merge at all: the last part queues it",
        STORE + "COUNT_PART", "due_at = CASE parts_left WHEN 1 THEN 0 END", "due_at = NULL",
        test_store.test_parts_ended_by_many_at_once_queue_one_merge,
    ),
    row(
        "attempt first: counted when received, not when ended",
        QUEUE + "CLAIM",
        ", attempts = attempts + 1 WHERE seq = :seq\nRETURNING id, part, attempts",
        " WHERE seq = :seq\nRETURNING id, part, attempts + 1",
        test_queue.test_what_a_silent_worker_held_is_delivered_again_as_the_next_attempt,
    ),
    row(
        "attempt: not counted when it was not made",
        QUEUE + "RELEASE", "attempts = attempts - ?", "attempts = attempts - 0 * ?",
        test_queue.test_an_attempt_that_was_not_made_is_not_charged,
    ),
    row(
        "cut off: who takes over is told",
        QUEUE + "SqliteQueue._claim", "was_cut_off=bool(was_leased)", "was_cut_off=False",
        test_queue.test_what_a_silent_worker_held_is_delivered_again_as_the_next_attempt,
    ),
    row(
        "reopen only what failed",
        STORE + "REOPEN", " AND status = 'failed'", "",
        test_store.test_only_a_failed_request_can_be_reopened,
    ),
    row(
        "reopen only the parts that failed",
        STORE + "REOPEN_PARTS", " AND status = 'failed'", "",
        test_store.test_of_a_split_request_only_the_failed_parts_are_reopened,
    ),
    row(
        "bound: an action runs no more often at once",
        QUEUE + "SqliteQueue._choose", "max(0, bound - leased)", "limit",
        test_queue.test_no_action_is_under_way_more_often_than_its_bound,
    ),
    broken.Broken(
        "purge only what had ended by then",
        (Cut(PURGE + "WINDOW", " AND finished_at < :before"), Cut(PURGE + "FORGET", " AND finished_at < :before")),
        test_purge.test_what_ended_before_that_moment_is_gone_and_nothing_else,
        "sqlite",
    ),
    broken.Broken(
        "purge only what has ended",
        (
            Cut(PURGE + "WINDOW", "status <> 'accepted' AND finished_at < :before", "created_at < :before"),
            Cut(PURGE + "FORGET", "status <> 'accepted' AND finished_at < :before", "created_at < :before"),
        ),
        test_purge.test_what_was_accepted_long_ago_and_has_not_ended_stays,
        "sqlite",
    ),
    row(
        "listed once: also of those of one moment",
        OVERVIEW + "TIED", "AND seq < :seq", "AND seq <= :seq",
        test_overview.test_those_of_one_moment_come_once_each,
    ),
    row(
        "listed at all: the rest of one moment is on the next page",
        OVERVIEW + "TIED", "AND created_at = :at", "AND created_at = :at + 1",
        test_overview.test_those_of_one_moment_come_once_each,
    ),
    row(
        "a page is of a bounded size",
        OVERVIEW + "SqliteOverview.find", " or size >= MAX_PAGE_BYTES", "",
        test_overview.test_a_page_ends_when_it_is_large,
    ),
    row(
        "what a silent worker held waits",
        OVERVIEW + "LOAD", "action = :action AND due_at <= :now", "action = :action AND due_at <= 0 * :now",
        test_overview.test_what_is_held_by_one_who_fell_silent_waits,
    ),
    row(
        "what is held from before the clock went back waits",
        OVERVIEW + "_load", "due + lost", "due",
        test_overview.test_what_is_held_for_long_because_the_clock_went_back_waits,
    ),
]  # fmt: skip

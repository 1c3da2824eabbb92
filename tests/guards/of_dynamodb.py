"""The guards of the store in DynamoDB, which are conditions of its writes, and of the queue in SQS."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract import test_queue, test_store, test_together
from tests.guards import broken
from tests.guards.broken import Broken
from tests.guards.surgery import Cut

STORE = "acuse.adapters.aws.store:"
TABLE = "acuse.adapters.aws.table:"
ENDINGS = "acuse.adapters.aws.endings:"
PLANS = "acuse.adapters.aws.plans:"
MESSAGE = "acuse.adapters.aws.message:Message."


def row(guard: str, where: str, text: str, instead: str, proof: Callable[..., None]) -> broken.Broken:
    return broken.row(guard, where, text, instead, proof, "aws")


GUARDS = [
    row(
        "create only: what is there already is told from what is new",
        TABLE + "_written", 'return Unmet(error.get("Item"))', "return None",
        test_store.test_the_first_content_wins,
    ),
    row(
        "create only, all or none",
        TABLE + "Table.addition",
        '"attribute_not_exists(#id)"', '"attribute_exists(#id) OR attribute_not_exists(#id)"',
        test_together.test_nothing_is_added_where_one_is_there_with_other_content,
    ),
    row(
        "fence: an earlier turn ends nothing",
        ENDINGS + "END", '"_turn" = ?', '"_turn" >= ?',
        test_store.test_what_was_delivered_before_it_was_reopened_ends_it_no_more,
    ),
    row(
        "settle once",
        ENDINGS + "END", """ AND "status" = 'accepted'""", "",
        test_store.test_an_ending_is_recorded_once,
    ),
    row(
        "settle once: a part",
        ENDINGS + "END_PART", "#status = :accepted AND ", "",
        test_store.test_the_ending_of_a_part_is_recorded_once,
    ),
    Broken(
        "plan once",
        (
            Cut(PLANS + "UNPLANNED", "attribute_not_exists(#_parts) AND #_turn = :turn AND ", ""),
            Cut(PLANS + "BY_ME", "attribute_not_exists(#_parts) AND ", ""),
            Cut(PLANS + "_is_to_plan", """ and "_parts" not in item and integer(item, "_turn") == turn""", ""),
        ),
        test_store.test_a_plan_is_made_once,
        "aws",
    ),
    row(
        "merge once: only the last part queues it",
        "acuse.adapters.aws.relay:_turn",
        'integer(item, "_parts_ended") < integer(item, "_parts")', 'integer(item, "_parts_ended") < 1',
        test_store.test_the_last_part_queues_the_merge_once,
    ),
    row(
        "attempt first: counted when received, not when ended",
        MESSAGE + "delivery", "attempt=self.made + receives", "attempt=self.made + 1",
        test_queue.test_what_a_silent_worker_held_is_delivered_again_as_the_next_attempt,
    ),
    Broken(
        "reopen only what failed",
        (
            Cut(PLANS + "reopen", """ or item["status"]["S"] != Status.FAILED""", ""),
            Cut(PLANS + "FAILED_UNPLANNED", "#status = :failed AND ", ""),
        ),
        test_store.test_only_a_failed_request_can_be_reopened,
        "aws",
    ),
    row(
        "it never ends before it was created",
        ENDINGS + "END", 'AND "created_at" <= ?', 'AND "created_at" <> ?',
        test_store.test_it_never_ends_before_it_was_created,
    ),
]  # fmt: skip

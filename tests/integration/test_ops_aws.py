"""The page over DynamoDB and SQS, where actions are not told apart and a list is in no order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from acuse.domain.record import Status
from tests.integration.watched import FORM, added, ended, ids, plain, watched

if TYPE_CHECKING:
    from tests.contract.backend import Backend


@pytest.mark.parametrize("backend", ["aws"], indirect=True)
def test_the_page_says_what_this_store_can_tell_and_why_not_the_rest(backend: Backend) -> None:
    finished = ended(backend, added(backend), result={"rows": 7})
    failed = ended(backend, added(backend), detail="ValueError: no")
    waiting = added(backend)
    backend.pass_time(timedelta(seconds=20))

    with watched(backend) as (client, _):
        overview = client.get("/")
        read = plain(overview)
        assert "Attention 1 of 2 requests that ended in the last 5 min failed." in read
        assert "Accepted 3 /min 3 in 5 min" in read
        assert "delay raised ValueError: no" in read
        assert "Last failed first" in read
        assert 'title="The queue of this store counts all actions together."' in overview.text
        assert "all actions 1 waiting As a table" in read

        everything, failures = client.get("/requests"), client.get("/requests?status=failed")
        assert "3 requests, in no order" in plain(everything)
        assert set(ids(everything)) == {finished.id, failed.id, waiting.id}
        assert "1 request, last failed first" in plain(failures)
        assert ids(failures) == [failed.id]

        assert "finished Finished after 0 ms" in plain(client.get(f"/requests/{finished.id}"))
        assert client.post(f"/requests/{failed.id}/retry", headers=FORM).status_code == 303
        assert backend.store.get([failed.id])[failed.id].status is Status.ACCEPTED

"""Requests: recorded once, and answered once however often they are asked."""

from datetime import timedelta

import pytest

from router.ports.requests import CancelToResolve, RetryToResolve
from router.rules.looking import NoAnswer, NotThere
from schemas.events.requests import Asked, CancelAsked, LoadAsked, PreviewAsked, RetryAsked
from tests.builders import (
    A_CSV,
    A_LISTING,
    after,
    announced,
    asked_request,
    completed_file,
    found,
    found_file,
    intake,
    letter,
    load_asked,
    request_end,
    settlement,
    unmeasured,
)
from tests.contract.ledgers import Ledger, SeenBatch, SeenRequest
from tests.contract.scenes import (
    RUN,
    at_their_end,
    has_ended,
    is_asked,
    is_claimed,
    is_cut,
    is_found,
    is_listed,
    lands,
    looks,
    outgoing,
    schedules,
    takes,
    to_resolve,
)

B_CSV, C_CSV = "s3://landing/orders/b.csv", "s3://landing/orders/c.csv"
OPEN = SeenRequest(is_listed=False, trouble=None, given_up=None, outcome=None, reason=None)


async def test_requests_are_recorded_once(ledger: Ledger) -> None:
    asked = [asked_request(request_id="r-2"), asked_request(request_id="r-1")]

    first = await ledger.requests.record_requests(asked, [letter("unreadable")])
    second = await ledger.requests.record_requests(asked, [])

    assert (first, second) == (2, 0)
    assert await ledger.request("r-1") == await ledger.request("r-2") == OPEN
    assert await outgoing(ledger) == ["unreadable"]


async def test_an_open_request_that_comes_again_is_not_answered_yet(ledger: Ledger) -> None:
    await is_asked(ledger)

    await is_asked(ledger)

    assert await outgoing(ledger) == []


async def test_an_ended_request_that_comes_again_is_answered_as_before(ledger: Ledger) -> None:
    await is_asked(ledger)
    await ledger.requests.end_request(request_end())

    new = await ledger.requests.record_requests([asked_request(load_asked(B_CSV))], [])

    assert new == 0
    assert await outgoing(ledger) == ["r-1 cancelled", "r-1 cancelled"]
    assert await ledger.requests.request_to_resolve(A_LISTING) is None


async def test_a_request_may_come_twice_at_once(ledger: Ledger) -> None:
    refused = asked_request(refusal=request_end("r-1", "rejected"))

    new = await ledger.requests.record_requests([refused, refused], [])

    assert new == 1
    assert await outgoing(ledger) == ["r-1 rejected", "r-1 rejected"]


async def test_an_id_belongs_to_the_producer_that_used_it_first(ledger: Ledger) -> None:
    await is_asked(ledger)
    await ledger.requests.end_request(request_end())
    before = await ledger.request("r-1")

    new = await ledger.requests.record_requests([asked_request(producer="/others")], [])

    assert new == 0
    assert await outgoing(ledger) == ["r-1 cancelled", "r-1 is taken"]
    assert await ledger.request("r-1") == before


async def test_a_refused_request_is_answered_at_once(ledger: Ledger) -> None:
    refusal = request_end("r-1", "rejected", "unknown-source: no source 'x'")

    new = await ledger.requests.record_requests([asked_request(refusal=refusal)], [])

    assert new == 1
    assert await outgoing(ledger) == ["r-1 rejected"]
    seen = await ledger.request("r-1")
    assert seen is not None
    assert (seen.outcome, seen.reason) == ("rejected", "unknown-source: no source 'x'")
    assert await ledger.requests.request_to_resolve(A_LISTING) is None
    assert await at_their_end(ledger) == []


@pytest.mark.parametrize(
    "asked",
    [load_asked(A_CSV, A_CSV), LoadAsked(source="o", prefix="s3://b/"), PreviewAsked(source="o", file=A_CSV)],
)
async def test_what_is_not_listed_yet_is_not_finished(ledger: Ledger, asked: Asked) -> None:
    await is_asked(ledger, asked)
    await ledger.pass_time(3600)

    assert await at_their_end(ledger) == []


async def test_what_has_found_nothing_is_finished(ledger: Ledger) -> None:
    await is_listed(ledger)

    [finished] = await at_their_end(ledger)

    assert (finished.id, finished.kind, finished.producer, finished.source_id) == ("r-1", "load", "/tests", "orders-v1")
    assert (finished.expired, finished.given_up) == (False, None)
    assert (finished.counts.files, finished.files) == (0, [])
    assert abs(finished.accepted - await ledger.now()) < timedelta(minutes=1)


async def test_a_request_is_finished_when_none_of_its_files_is_open(ledger: Ledger) -> None:
    await is_found(ledger, A_CSV, B_CSV)
    waiting = await at_their_end(ledger)
    await takes(ledger, line="priority")
    in_flight = await at_their_end(ledger)

    quarantined = completed_file(B_CSV, outcome="quarantined", rows=0, reason="truncated")
    await ledger.settlement.settle_batch(settlement([completed_file(rows=7), quarantined]))

    [finished] = await at_their_end(ledger)
    assert (waiting, in_flight) == ([], [])
    counts = finished.counts
    assert (counts.files, counts.files_loaded, counts.files_already_loaded, counts.files_not_loaded) == (2, 1, 0, 1)
    assert counts.rows == 7
    assert [(file.uri, file.outcome, file.rows, file.reason, file.batch) for file in finished.files] == [
        (B_CSV, "quarantined", 0, "truncated", "b-1"),
        (A_CSV, "loaded", 7, None, "b-1"),
    ]


async def test_a_request_is_not_finished_while_more_is_to_be_listed(ledger: Ledger) -> None:
    await is_asked(ledger, LoadAsked(source="orders", prefix="s3://landing/orders/"))
    await ledger.requests.save_found(found(found_file(), more=True), reload=False)
    await takes(ledger, line="priority")
    await ledger.settlement.settle_batch(settlement())

    assert await at_their_end(ledger) == []


async def test_at_most_one_more_file_is_told_than_is_named(ledger: Ledger) -> None:
    await is_found(ledger, *(f"s3://landing/orders/{number:03}.csv" for number in range(120)))
    await ledger.requests.record_requests([asked_request(CancelAsked(request="r-1"), "r-2")], [])
    unlisted = await to_resolve(ledger, CancelToResolve)
    await ledger.requests.cancel_files(unlisted, "enough")

    by_id = {finished.id: finished for finished in await at_their_end(ledger)}

    assert len(by_id["r-1"].files) == 101
    assert by_id["r-1"].counts.files == by_id["r-2"].counts.files == 120


async def test_not_more_finished_requests_are_told_than_asked_for(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        await is_listed(ledger, f"r-{number}")
        await ledger.pass_time(1)

    assert [finished.id for finished in await at_their_end(ledger, 2)] == ["r-1", "r-2"]


async def test_a_request_ends_once(ledger: Ledger) -> None:
    await is_listed(ledger)

    first = await ledger.requests.end_request(request_end("r-1", "nothing-loaded"))
    second = await ledger.requests.end_request(request_end("r-1", "loaded"))

    assert (first, second) == (True, False)
    assert await outgoing(ledger) == ["r-1 nothing-loaded"]
    assert await at_their_end(ledger) == []


async def test_a_deadline_ends_a_request(ledger: Ledger) -> None:
    deadline = await ledger.now() + timedelta(seconds=30)
    await is_asked(ledger, load_asked(A_CSV, B_CSV, deadline=deadline))
    await ledger.requests.save_found(found(found_file(), more=True), reload=False)
    before = await at_their_end(ledger)

    await ledger.pass_time(31)

    [finished] = await at_their_end(ledger)
    assert before == []
    assert (finished.expired, finished.given_up) == (True, None)
    assert finished.counts.files_not_loaded == 2


async def test_a_deadline_that_passes_when_all_is_loaded_is_kept(ledger: Ledger) -> None:
    await is_asked(ledger, load_asked(deadline=await ledger.now() + timedelta(seconds=30)))
    await ledger.requests.save_found(found(found_file()), reload=False)
    await takes(ledger, line="priority")
    await ledger.settlement.settle_batch(settlement())

    await ledger.pass_time(31)

    [finished] = await at_their_end(ledger)
    assert (finished.expired, finished.counts.files_loaded) == (False, 1)


async def test_what_ends_gives_up_what_waits_because_of_it(ledger: Ledger) -> None:
    await lands(ledger, C_CSV)
    await is_found(ledger, A_CSV)
    await takes(ledger, line="priority")
    await is_asked(ledger, load_asked(A_CSV, B_CSV, C_CSV), "r-2")
    await ledger.requests.save_found(found(*map(found_file, (A_CSV, B_CSV, C_CSV)), request_id="r-2"), reload=False)

    await ledger.requests.end_request(request_end("r-2", "expired", "too late"))

    assert [(file.uri, file.batch_id, file.outcome, file.reason) for file in await ledger.files()] == [
        (A_CSV, "b-1", None, None),
        (B_CSV, None, "failed", "too late"),
        (C_CSV, None, None, None),
    ]


async def test_what_is_given_up_is_told_as_failed_and_the_rest_as_it_stands(ledger: Ledger) -> None:
    await lands(ledger, C_CSV)
    await is_cut(ledger, [A_CSV], "b-1")
    await lands(ledger, C_CSV)
    deadline = await ledger.now() + timedelta(seconds=30)
    await is_asked(ledger, load_asked(A_CSV, B_CSV, deadline=deadline))
    await ledger.requests.save_found(found(found_file(), found_file(B_CSV)), reload=False)

    await ledger.pass_time(31)

    [finished] = await at_their_end(ledger)
    assert [(file.uri, file.outcome) for file in finished.files] == [(A_CSV, "in-flight"), (B_CSV, "failed")]


async def test_what_another_request_asks_for_too_is_not_given_up_with_the_first(ledger: Ledger) -> None:
    await is_found(ledger, A_CSV, B_CSV)
    await is_found(ledger, B_CSV, request_id="r-2")

    await ledger.requests.end_request(request_end("r-1", "expired"))
    first = [(file.uri, file.outcome) for file in await ledger.files()]
    await ledger.requests.end_request(request_end("r-2", "expired"))

    assert first == [(A_CSV, "failed"), (B_CSV, None)]
    assert [(file.uri, file.outcome) for file in await ledger.files()] == [(A_CSV, "failed"), (B_CSV, "failed")]


async def test_what_an_event_tells_of_does_not_end_with_the_request_that_found_it_first(ledger: Ledger) -> None:
    await is_found(ledger, A_CSV, B_CSV)
    await lands(ledger, A_CSV)

    await ledger.requests.end_request(request_end("r-1", "expired"))

    assert [(file.uri, file.outcome) for file in await ledger.files()] == [(A_CSV, None), (B_CSV, "failed")]


async def test_what_another_request_asks_for_too_is_told_as_waiting(ledger: Ledger) -> None:
    await is_asked(ledger, load_asked(A_CSV, B_CSV, deadline=await ledger.now() + timedelta(seconds=30)))
    await ledger.requests.save_found(found(found_file(), found_file(B_CSV)), reload=False)
    await is_found(ledger, B_CSV, request_id="r-2")

    await ledger.pass_time(31)

    [finished] = await at_their_end(ledger)
    assert [(file.uri, file.outcome) for file in finished.files] == [(A_CSV, "failed"), (B_CSV, "waiting")]


async def test_a_retry_opens_a_new_round_for_what_was_not_loaded(ledger: Ledger) -> None:
    quarantined = completed_file(B_CSV, outcome="quarantined", rows=0, reason="truncated")
    missing = completed_file(C_CSV, outcome="missing", rows=0)
    await has_ended(ledger, completed_file(), quarantined, missing)
    await is_asked(ledger, RetryAsked(batch="b-1"))
    unlisted = await to_resolve(ledger, RetryToResolve)

    opened = await ledger.requests.retry_files(unlisted, [])

    assert [*unlisted.source_ids] == ["orders-v1"]
    assert opened == 2
    assert [(file.uri, file.round, file.batch_id, file.outcome, file.reason) for file in await ledger.files()] == [
        (A_CSV, 1, "b-1", "loaded", None),
        (B_CSV, 2, None, None, None),
        (C_CSV, 2, None, None, None),
    ]
    places = {place.uri: (place.lane, place.rank, place.request_id) for place in await ledger.places()}
    assert places[B_CSV] == places[C_CSV] == ("priority", 0, "r-1")
    seen = await ledger.request("r-1")
    assert seen is not None
    assert seen.is_listed
    assert await at_their_end(ledger) == []


async def test_a_retry_stays_in_a_lane_that_is_pinned(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(outcome="failed", rows=0))
    await is_asked(ledger, RetryAsked(files=(A_CSV,)))
    unlisted = await to_resolve(ledger, RetryToResolve)

    await ledger.requests.retry_files(unlisted, ["orders-v1"])

    [place] = await ledger.places()
    assert (place.lane, place.rank) == ("default", 0)


async def test_a_retry_of_a_file_is_about_its_newest_version(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(outcome="quarantined", rows=0))
    await ledger.intake.record(intake([announced(version="v2", landed=after(1))]))
    await takes(ledger, "b-2")
    await ledger.settlement.settle_batch(settlement([completed_file(version="v2", outcome="failed", rows=0)], "b-2"))
    await is_asked(ledger, RetryAsked(files=(A_CSV,)))
    unlisted = await to_resolve(ledger, RetryToResolve)

    opened = await ledger.requests.retry_files(unlisted, [])

    assert opened == 1
    assert [(file.version, file.outcome) for file in await ledger.files()] == [("v1", "quarantined"), ("v2", None)]


async def test_a_retry_of_a_request_is_about_its_files(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(B_CSV, outcome="failed", rows=0), batch="b-0")
    await is_found(ledger)
    await takes(ledger, line="priority")
    await ledger.settlement.settle_batch(settlement([completed_file(outcome="failed", rows=0)]))
    await ledger.requests.end_request(request_end("r-1", "nothing-loaded"))
    await is_asked(ledger, RetryAsked(request="r-1"), "r-2")
    unlisted = await to_resolve(ledger, RetryToResolve)

    opened = await ledger.requests.retry_files(unlisted, [])

    assert opened == 1
    assert [(file.uri, file.outcome) for file in await ledger.files()] == [(A_CSV, None), (B_CSV, "failed")]


async def test_what_is_retried_is_retried_once(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(outcome="failed", rows=0))
    await is_asked(ledger, RetryAsked(batch="b-1"))
    unlisted = await to_resolve(ledger, RetryToResolve)

    opened = [await ledger.requests.retry_files(unlisted, []) for _ in range(2)]

    assert opened == [1, 0]
    assert [file.round for file in await ledger.files()] == [2]


async def test_a_retry_is_only_about_the_sources_that_were_looked_at(ledger: Ledger) -> None:
    """What came to be after its producer was checked is none of its business."""
    await has_ended(ledger, completed_file(outcome="failed", rows=0))
    await is_asked(ledger, RetryAsked(files=(A_CSV,)))
    unlisted = await to_resolve(ledger, RetryToResolve)
    await lands(ledger, A_CSV, source_id="audit-v1")
    await takes(ledger, "b-2", source_id="audit-v1")
    await ledger.settlement.settle_batch(settlement([completed_file(outcome="failed", rows=0)], "b-2"))

    await ledger.requests.retry_files(unlisted, [])

    outcomes = {file.source_id: file.outcome for file in await ledger.files()}
    assert outcomes == {"orders-v1": None, "audit-v1": "failed"}


@pytest.mark.parametrize("target", [{"batch": "b-9"}, {"request": "r-9"}, {"files": (A_CSV,)}])
async def test_what_is_not_known_has_no_source(ledger: Ledger, target: dict[str, object]) -> None:
    await is_asked(ledger, RetryAsked.model_validate(target), "r-1")
    await is_asked(ledger, CancelAsked.model_validate(target), "r-2")

    assert (await to_resolve(ledger, RetryToResolve)).source_ids == frozenset()
    assert (await to_resolve(ledger, CancelToResolve)).source_ids == frozenset()


async def test_a_cancel_gives_up_what_waits(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(C_CSV))
    await lands(ledger, A_CSV, B_CSV)
    await is_asked(ledger, CancelAsked(files=(A_CSV, C_CSV)))
    unlisted = await to_resolve(ledger, CancelToResolve)

    given_up = await ledger.requests.cancel_files(unlisted, "enough")

    assert given_up == 1
    assert [(file.uri, file.outcome, file.reason) for file in await ledger.files()] == [
        (A_CSV, "failed", "enough"),
        (B_CSV, None, None),
        (C_CSV, "loaded", None),
    ]
    [finished] = await at_their_end(ledger)
    assert (finished.counts.files_loaded, finished.counts.files_not_loaded) == (1, 1)


async def test_a_cancel_gives_up_what_is_to_be_measured(ledger: Ledger) -> None:
    """Also what can not be measured, for ever."""
    await ledger.intake.record(intake(unmeasured=[unmeasured()]))
    await looks(ledger, NoAnswer("denied"))
    await is_asked(ledger, CancelAsked(files=(A_CSV,)))
    unlisted = await to_resolve(ledger, CancelToResolve)

    given_up = await ledger.requests.cancel_files(unlisted, "enough")

    assert ([*unlisted.source_ids], given_up) == (["orders-v1"], 1)
    assert [(file.uri, file.outcome, file.reason) for file in await ledger.files()] == [(A_CSV, "failed", "enough")]
    await ledger.pass_time(3600)
    assert await ledger.discovery.due_looks(10) == []
    [finished] = await at_their_end(ledger)
    assert (finished.counts.files, finished.counts.files_not_loaded) == (1, 1)


async def test_a_cancel_of_files_lets_go_on_what_is_in_flight(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await is_asked(ledger, CancelAsked(files=(A_CSV,)))
    unlisted = await to_resolve(ledger, CancelToResolve)

    given_up = await ledger.requests.cancel_files(unlisted, "enough")
    before = await at_their_end(ledger)
    await ledger.settlement.settle_batch(settlement())

    assert given_up == 0
    assert before == []
    [finished] = await at_their_end(ledger)
    assert finished.counts.files_loaded == 1


async def test_a_cancelled_batch_is_closing(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await is_asked(ledger, CancelAsked(batch="b-1"))
    unlisted = await to_resolve(ledger, CancelToResolve)

    given_up = await ledger.requests.cancel_files(unlisted, "enough")

    assert ([*unlisted.source_ids], given_up) == (["orders-v1"], 0)
    assert await ledger.batch("b-1") == SeenBatch("enough", None, None)
    assert await at_their_end(ledger) == []
    assert not await ledger.claim("b-1", 1, RUN)


async def test_an_ended_batch_is_not_cancelled(ledger: Ledger) -> None:
    await has_ended(ledger)
    await is_asked(ledger, CancelAsked(batch="b-1"))
    unlisted = await to_resolve(ledger, CancelToResolve)

    await ledger.requests.cancel_files(unlisted, "enough")

    assert await ledger.batch("b-1") == SeenBatch(None, "loaded", None)
    [finished] = await at_their_end(ledger)
    assert (finished.kind, finished.counts.files_loaded) == ("cancel", 1)


async def test_a_cancelled_request_is_given_up_with_what_it_opened(ledger: Ledger) -> None:
    await lands(ledger, B_CSV)
    await is_found(ledger, A_CSV, B_CSV)
    await is_asked(ledger, CancelAsked(request="r-1"), "r-2")
    unlisted = await to_resolve(ledger, CancelToResolve)

    given_up = await ledger.requests.cancel_files(unlisted, "enough")

    assert given_up == 1
    assert [(file.uri, file.outcome) for file in await ledger.files()] == [(A_CSV, "failed"), (B_CSV, None)]
    by_id = {finished.id: finished for finished in await at_their_end(ledger)}
    assert (by_id["r-1"].given_up, by_id["r-2"].given_up) == ("enough", None)
    assert [(file.uri, file.outcome) for file in by_id["r-1"].files] == [(A_CSV, "failed"), (B_CSV, "waiting")]
    assert [(file.uri, file.outcome) for file in by_id["r-2"].files] == [(A_CSV, "failed")]


async def test_a_request_may_be_cancelled_before_it_is_listed(ledger: Ledger) -> None:
    await is_asked(ledger)
    await ledger.requests.request_to_resolve(A_LISTING)
    await is_asked(ledger, CancelAsked(request="r-1"), "r-2")
    unlisted = await to_resolve(ledger, CancelToResolve)
    await ledger.requests.cancel_files(unlisted, "enough")
    for finished in await at_their_end(ledger):
        await ledger.requests.end_request(request_end(finished.id))

    opened = await ledger.requests.save_found(found(found_file()), reload=False)

    assert opened == 0
    assert await ledger.files() == []


async def test_an_ended_request_is_not_given_up(ledger: Ledger) -> None:
    await is_listed(ledger)
    await ledger.requests.end_request(request_end("r-1", "nothing-loaded"))
    await is_asked(ledger, CancelAsked(request="r-1"), "r-2")
    unlisted = await to_resolve(ledger, CancelToResolve)

    await ledger.requests.cancel_files(unlisted, "enough")

    seen = await ledger.request("r-1")
    assert seen is not None
    assert (seen.given_up, seen.outcome) == (None, "nothing-loaded")
    assert [finished.id for finished in await at_their_end(ledger)] == ["r-2"]


async def test_what_was_cancelled_is_not_cut(ledger: Ledger) -> None:
    await lands(ledger)
    await is_asked(ledger, CancelAsked(files=(A_CSV,)))
    unlisted = await to_resolve(ledger, CancelToResolve)

    await ledger.requests.cancel_files(unlisted, "enough")

    batches, _ = await schedules(ledger)
    assert await batches.waiting("orders-v1", "default", 10) == []
    assert await batches.backlogs() == []


async def test_a_request_at_its_end_is_given_to_one_caller_and_longer_each_time(ledger: Ledger) -> None:
    await is_listed(ledger)

    for pause in (15, 30, 60, 120, 240, 480, 600, 600):
        assert await ledger.requests.requests_at_end(10) == ["r-1"]
        await ledger.pass_time(pause * 0.75)
        assert await ledger.requests.requests_at_end(10) == []
        await ledger.pass_time(pause * 0.5)


async def test_a_request_that_nobody_answers_keeps_no_other_waiting(ledger: Ledger) -> None:
    for number in range(4):
        await is_listed(ledger, f"r-{number}")
        await ledger.pass_time(1)

    given = [await ledger.requests.requests_at_end(2) for _ in range(3)]

    assert given == [["r-0", "r-1"], ["r-2", "r-3"], []]


async def test_an_answered_request_is_not_at_its_end_any_more(ledger: Ledger) -> None:
    await is_listed(ledger)
    await ledger.requests.requests_at_end(10)
    await ledger.requests.end_request(request_end())

    assert await ledger.requests.request_to_answer("r-1") is None


@pytest.mark.parametrize("asked", [load_asked(), PreviewAsked(source="orders", file=A_CSV)])
async def test_what_asks_for_a_removed_source_is_given_up_after_a_while(ledger: Ledger, asked: Asked) -> None:
    await is_asked(ledger, asked)
    kept = await ledger.requests.give_up_removed(["orders-v1"], timedelta(0))
    early = await ledger.requests.give_up_removed(["audit-v1"], timedelta(minutes=10))
    await ledger.pass_time(601)

    given_up = await ledger.requests.give_up_removed(["audit-v1"], timedelta(minutes=10))
    again = await ledger.requests.give_up_removed(["audit-v1"], timedelta(minutes=10))

    seen = await ledger.request("r-1")
    assert seen is not None
    assert seen.given_up == "unknown-source: orders-v1 is not in the configuration any more"
    assert (kept, early, given_up, again) == (0, 0, 1, 0)
    assert await ledger.requests.requests_at_end(10) == ["r-1"]


async def test_a_retry_is_given_up_when_only_files_of_removed_sources_are_left_of_it(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(outcome="failed", rows=0))
    await is_asked(ledger, RetryAsked(files=(A_CSV,)), "r-2")
    unlisted = await to_resolve(ledger, RetryToResolve)
    await ledger.requests.retry_files(unlisted, [])

    kept = await ledger.requests.give_up_removed(["orders-v1"], timedelta(0))
    given_up = await ledger.requests.give_up_removed([], timedelta(0))

    assert (kept, given_up) == (0, 1)


async def test_what_was_gone_before_it_was_measured_has_its_size_once_it_is_found(ledger: Ledger) -> None:
    await ledger.intake.record(intake(unmeasured=[unmeasured(version="v1")]))
    await looks(ledger, NotThere(None, "missing", "gone"))
    await ledger.requests.record_requests([asked_request()], [])

    await ledger.requests.save_found(found(found_file(size=700)), reload=False)

    assert [(file.outcome, file.size) for file in await ledger.files()] == [(None, 700)]


async def test_a_request_of_which_a_file_waits_anew_is_not_at_its_end_any_more(ledger: Ledger) -> None:
    await is_found(ledger)
    await takes(ledger, line="priority")
    await ledger.settlement.settle_batch(settlement([completed_file(outcome="failed", rows=0)]))
    given = await ledger.requests.requests_at_end(10)

    await is_found(ledger, request_id="r-2")

    assert given == ["r-1"]
    assert await ledger.requests.request_to_answer("r-1") is None

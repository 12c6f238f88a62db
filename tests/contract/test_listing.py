"""Which files a request asks for: found part by part, each of them taken up once."""

import pytest

from router.ports.requests import Found, LoadToResolve
from schemas.events.requests import LoadAsked, PreviewAsked
from tests.builders import (
    A_CSV,
    A_LISTING,
    after,
    completed_file,
    found,
    found_file,
    load_asked,
    request_end,
    settlement,
)
from tests.contract.ledgers import Ledger
from tests.contract.scenes import (
    at_their_end,
    has_ended,
    is_asked,
    is_claimed,
    is_found,
    is_removed,
    lands,
    schedules,
    takes,
    to_resolve,
)

B_CSV, C_CSV = "s3://landing/orders/b.csv", "s3://landing/orders/c.csv"
FOLDER = "s3://landing/orders/"


async def test_a_request_is_given_to_one_caller_for_a_minute(ledger: Ledger) -> None:
    await is_asked(ledger, load_asked(A_CSV, B_CSV))

    first = await to_resolve(ledger, LoadToResolve)
    second = await ledger.requests.request_to_resolve(A_LISTING)
    await ledger.pass_time(59)
    too_early = await ledger.requests.request_to_resolve(A_LISTING)
    await ledger.pass_time(2)
    again = await ledger.requests.request_to_resolve(A_LISTING)

    assert (first.id, first.kind, first.producer, first.source_id) == ("r-1", "load", "/tests", "orders-v1")
    assert (first.reload, first.prefix, first.cursor) == (False, None, None)
    assert sorted(first.files) == [A_CSV, B_CSV]
    assert (second, too_early) == (None, None)
    assert again == first


async def test_the_longest_due_is_listed_first(ledger: Ledger) -> None:
    for number in (2, 1, 3):
        await is_asked(ledger, request_id=f"r-{number}")
        await ledger.pass_time(1)

    given = [await ledger.requests.request_to_resolve(A_LISTING) for _ in range(3)]

    assert [unlisted.id for unlisted in given if unlisted] == ["r-2", "r-1", "r-3"]


@pytest.mark.parametrize(("if_loaded", "reload"), [("skip", False), ("reload", True)])
async def test_a_prefix_is_to_be_listed_from_its_beginning(ledger: Ledger, if_loaded: str, reload: bool) -> None:
    await is_asked(
        ledger, LoadAsked.model_validate({"source": "orders", "prefix": FOLDER, "if_loaded": if_loaded}), "r-1"
    )

    unlisted = await to_resolve(ledger, LoadToResolve)

    assert (unlisted.prefix, unlisted.cursor, unlisted.reload, list(unlisted.files)) == (FOLDER, None, reload, [])


async def test_a_listing_goes_on_after_its_cursor(ledger: Ledger) -> None:
    await is_asked(ledger, LoadAsked(source="orders", prefix=FOLDER))
    await ledger.requests.request_to_resolve(A_LISTING)
    await ledger.requests.save_found(found(found_file(), cursor=A_CSV, more=True), reload=False)

    unlisted = await to_resolve(ledger, LoadToResolve)

    assert unlisted.cursor == A_CSV
    seen = await ledger.request("r-1")
    assert seen is not None
    assert not seen.is_listed


async def test_what_is_named_is_given_a_thousand_at_a_time(ledger: Ledger) -> None:
    uris = [f"{FOLDER}{number:04}.csv" for number in range(1001)]
    await is_asked(ledger, load_asked(*uris))
    first = await to_resolve(ledger, LoadToResolve)
    await ledger.requests.save_found(found(*map(found_file, first.files), more=True), reload=False)

    second = await to_resolve(ledger, LoadToResolve)

    assert (len(first.files), len(second.files)) == (1000, 1)
    assert {*first.files, *second.files} == {*uris}


async def test_what_is_listed_is_not_listed_again(ledger: Ledger) -> None:
    await is_found(ledger)
    await ledger.pass_time(3600)

    assert await ledger.requests.request_to_resolve(A_LISTING) is None
    assert await ledger.requests.save_found(found(found_file(B_CSV)), reload=False) == 0
    assert len(await ledger.files()) == 1


async def test_an_ended_request_is_not_listed(ledger: Ledger) -> None:
    await is_asked(ledger)
    await ledger.requests.end_request(request_end())

    assert await ledger.requests.request_to_resolve(A_LISTING) is None
    assert await ledger.requests.save_found(found(found_file()), reload=False) == 0
    assert await ledger.files() == []


async def test_when_the_storage_does_not_answer_the_pause_grows(ledger: Ledger) -> None:
    await is_asked(ledger)

    for pause in (2, 4, 8, 16):
        assert await ledger.requests.request_to_resolve(A_LISTING) is not None
        await ledger.requests.put_off("r-1", "away", None)
        await ledger.pass_time(pause * 0.75)
        assert await ledger.requests.request_to_resolve(A_LISTING) is None
        await ledger.pass_time(pause * 0.5)

    seen = await ledger.request("r-1")
    assert seen is not None
    assert seen.trouble == "away"


async def test_a_pause_is_ten_minutes_at_most(ledger: Ledger) -> None:
    await is_asked(ledger)
    for _ in range(30):
        assert await ledger.requests.request_to_resolve(A_LISTING) is not None
        await ledger.requests.put_off("r-1", "away", None)
        await ledger.pass_time(601)

    assert await ledger.requests.request_to_resolve(A_LISTING) is not None


async def test_progress_ends_the_trouble(ledger: Ledger) -> None:
    await is_asked(ledger, LoadAsked(source="orders", prefix=FOLDER))
    for _ in range(5):
        await ledger.requests.request_to_resolve(A_LISTING)
        await ledger.requests.put_off("r-1", "away", None)
        await ledger.pass_time(3600)
    await ledger.requests.request_to_resolve(A_LISTING)
    await ledger.requests.save_found(found(cursor=A_CSV, more=True), reload=False)

    seen = await ledger.request("r-1")
    await to_resolve(ledger, LoadToResolve)
    await ledger.requests.put_off("r-1", "away", None)
    await ledger.pass_time(3)

    assert seen is not None
    assert seen.trouble is None
    assert await ledger.requests.request_to_resolve(A_LISTING) is not None


async def test_a_found_file_waits_where_what_a_person_asked_for_waits(ledger: Ledger) -> None:
    opened = await is_found(ledger)

    [file], [place] = await ledger.files(), await ledger.places()
    assert opened == 1
    assert (file.version, file.size, file.round, file.batch_id, file.outcome) == ("v1", 10, 1, None, None)
    assert abs((file.landed - await ledger.now()).total_seconds()) < 60
    assert (place.lane, place.rank, place.request_id) == ("priority", 0, "r-1")
    batches, _ = await schedules(ledger)
    assert [backlog.lane for backlog in await batches.backlogs()] == ["priority"]


async def test_what_waits_already_moves_to_where_a_persons_files_wait(ledger: Ledger) -> None:
    await lands(ledger)

    opened = await is_found(ledger)

    [file], [place] = await ledger.files(), await ledger.places()
    assert opened == 1
    assert (file.round, file.landed) == (1, after(0))
    assert (place.lane, place.rank, place.request_id) == ("priority", 0, None)


async def test_what_is_in_flight_goes_on(ledger: Ledger) -> None:
    await is_claimed(ledger)

    opened = await is_found(ledger, reload=True)

    [file], [place] = await ledger.files(), await ledger.places()
    assert opened == 0
    assert (file.batch_id, file.round, place.lane, place.request_id) == ("b-1", 1, "default", None)
    assert await at_their_end(ledger) == []
    await ledger.settlement.settle_batch(settlement())
    [finished] = await at_their_end(ledger)
    assert finished.counts.files_loaded == 1


@pytest.mark.parametrize("outcome", ["failed", "quarantined", "missing", "superseded"])
async def test_what_was_not_loaded_waits_anew(ledger: Ledger, outcome: str) -> None:
    await has_ended(ledger, completed_file(outcome=outcome, rows=0, reason="why"))

    opened = await is_found(ledger)

    [file] = await ledger.files()
    assert opened == 1
    assert (file.round, file.batch_id, file.outcome, file.rows, file.reason) == (2, None, None, None, None)
    assert [place.request_id for place in await ledger.places()] == ["r-1"]


async def test_what_was_removed_waits_anew_when_it_is_there(ledger: Ledger) -> None:
    await lands(ledger)
    await is_removed(ledger)

    opened = await is_found(ledger)

    assert opened == 1
    assert [(file.round, file.outcome) for file in await ledger.files()] == [(2, None)]


async def test_what_is_loaded_is_skipped(ledger: Ledger) -> None:
    await has_ended(ledger, completed_file(rows=7))

    opened = await is_found(ledger)

    assert opened == 0
    assert [(file.round, file.outcome, file.rows) for file in await ledger.files()] == [(1, "loaded", 7)]
    [finished] = await at_their_end(ledger)
    counts = finished.counts
    assert (counts.files, counts.files_loaded, counts.files_already_loaded, counts.rows) == (1, 0, 1, 0)
    assert [file.outcome for file in finished.files] == ["already-loaded"]


async def test_what_is_loaded_is_loaded_again_only_to_be_reloaded(ledger: Ledger) -> None:
    await has_ended(ledger)

    opened = await is_found(ledger, reload=True)

    assert opened == 1
    assert [(file.round, file.batch_id, file.outcome) for file in await ledger.files()] == [(2, None, None)]


async def test_what_is_found_twice_is_reloaded_once(ledger: Ledger) -> None:
    await has_ended(ledger)
    await is_asked(ledger, LoadAsked(source="orders", prefix=FOLDER, if_loaded="reload"))

    first = await ledger.requests.save_found(found(found_file(), more=True), reload=True)
    await takes(ledger, "b-2", line="priority")
    await ledger.settlement.settle_batch(settlement(batch="b-2"))
    second = await ledger.requests.save_found(found(found_file()), reload=True)

    assert (first, second) == (1, 0)
    assert [(file.round, file.outcome) for file in await ledger.files()] == [(2, "loaded")]
    [finished] = await at_their_end(ledger)
    assert (finished.counts.files, finished.counts.files_loaded) == (1, 1)


async def test_another_version_of_a_loaded_object_is_a_new_file(ledger: Ledger) -> None:
    await has_ended(ledger)
    await is_asked(ledger)

    opened = await ledger.requests.save_found(found(found_file(version="v2")), reload=False)

    assert opened == 1
    assert [(file.version, file.round, file.outcome) for file in await ledger.files()] == [
        ("v1", 1, "loaded"),
        ("v2", 1, None),
    ]


async def test_what_is_not_there_is_missing(ledger: Ledger) -> None:
    await is_asked(ledger, load_asked(A_CSV, B_CSV, C_CSV))

    await ledger.requests.save_found(found(found_file(), missing=[B_CSV], more=True), reload=False)

    await ledger.pass_time(5.1)
    unlisted = await to_resolve(ledger, LoadToResolve)
    assert list(unlisted.files) == [B_CSV, C_CSV]
    await ledger.requests.save_found(found(missing=[C_CSV]), reload=False)
    await ledger.requests.save_found(found(missing=[B_CSV, C_CSV]), reload=False)
    await takes(ledger, line="priority")
    await ledger.settlement.settle_batch(settlement())
    [finished] = await at_their_end(ledger)
    assert [(file.uri, file.version, file.outcome) for file in finished.files] == [
        (B_CSV, None, "missing"),
        (C_CSV, None, "missing"),
        (A_CSV, "v1", "loaded"),
    ]
    assert [file.reason for file in finished.files] == [*["it is not there: looked for twice, 5 s apart"] * 2, None]
    assert (finished.counts.files, finished.counts.files_not_loaded) == (3, 2)


async def test_what_a_person_asks_for_is_looked_for_once_more_after_five_seconds(ledger: Ledger) -> None:
    await is_asked(ledger, load_asked(A_CSV))

    await ledger.requests.save_found(found(missing=[A_CSV]), reload=False)
    too_early = await ledger.requests.request_to_resolve(A_LISTING)
    await ledger.pass_time(5.1)
    unlisted = await to_resolve(ledger, LoadToResolve)
    opened = await ledger.requests.save_found(found(found_file()), reload=False)

    assert too_early is None
    assert (list(unlisted.files), opened) == ([A_CSV], 1)


async def test_a_named_file_that_its_source_takes_no_more_has_failed_for_its_reason(ledger: Ledger) -> None:
    await is_asked(ledger, load_asked(A_CSV, B_CSV))

    await ledger.requests.save_found(found(refused={A_CSV: "moved", B_CSV: "renamed"}), reload=False)

    [request] = await at_their_end(ledger)
    assert [(file.uri, file.outcome, file.reason) for file in request.files] == [
        (A_CSV, "failed", "moved"),
        (B_CSV, "failed", "renamed"),
    ]
    assert request.counts.files_not_loaded == 2


async def test_who_looks_too_late_changes_nothing(ledger: Ledger) -> None:
    """Two may look for the same files when one of them took longer than a minute."""
    await is_asked(ledger, load_asked(A_CSV, B_CSV))
    for _ in range(2):
        await ledger.requests.save_found(found(found_file(), missing=[B_CSV], more=True), reload=False)

    late = await ledger.requests.save_found(found(found_file(B_CSV), missing=[A_CSV]), reload=False)

    assert late == 0
    assert [file.uri for file in await ledger.files()] == [A_CSV]
    assert await at_their_end(ledger) == []


async def test_one_file_may_be_asked_for_by_many(ledger: Ledger) -> None:
    first = await is_found(ledger)
    second = await is_found(ledger, request_id="r-2")
    await takes(ledger, line="priority")
    await ledger.settlement.settle_batch(settlement())

    finished = await at_their_end(ledger)

    assert (first, second) == (1, 1)
    assert [(one.id, one.counts.files_loaded) for one in finished] == [("r-1", 1), ("r-2", 1)]
    assert [place.request_id for place in await ledger.places()] == ["r-1"]


async def test_looking_at_a_file_loads_nothing(ledger: Ledger) -> None:
    await is_asked(ledger, PreviewAsked(source="orders", file=A_CSV))
    unlisted = await to_resolve(ledger, LoadToResolve)

    opened = await ledger.requests.save_found(found(found_file()), reload=False)

    assert (unlisted.kind, list(unlisted.files)) == ("preview", [A_CSV])
    assert opened == 0
    assert await ledger.files() == []


async def test_what_is_named_goes_on_after_a_part_that_was_not_told_of(ledger: Ledger) -> None:
    uris = [f"{FOLDER}{number:04}.csv" for number in range(1002)]
    await is_asked(ledger, load_asked(*uris))
    first = await to_resolve(ledger, LoadToResolve)

    await ledger.requests.save_found(Found("r-1", cursor=first.files[-1], trouble="denied"), reload=False)
    rest = await to_resolve(ledger, LoadToResolve)
    await ledger.requests.put_off("r-1", "denied", None)
    await ledger.pass_time(5)
    again = await to_resolve(ledger, LoadToResolve)

    assert list(rest.files) == uris[1000:]
    assert list(again.files) == uris[:1000]
    seen = await ledger.request("r-1")
    assert seen is not None
    assert seen.trouble == "denied"

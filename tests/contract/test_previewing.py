"""A look at the first rows of a file: one batch without files, whose end is the answer."""

from router.ports.requests import CancelToResolve
from router.ports.scheduling import DuePreview, NewBatch
from router.rules.recovery import Again
from schemas.events.requests import CancelAsked, PreviewAsked
from schemas.manifest import Glance, ManifestFile
from schemas.report import Preview, PreviewColumn
from tests.builders import A_CSV, AT_ONCE, asked_request, found, found_file, manifest, request_end
from tests.contract.ledgers import Ledger, SeenBatch
from tests.contract.scenes import (
    OTHER_RUN,
    RUN,
    at_their_end,
    is_asked,
    is_claimed,
    is_found,
    outgoing,
    schedules,
    to_resolve,
)

ASKED = PreviewAsked(source="orders", file=A_CSV, rows=7)
FILE = ManifestFile(uri=A_CSV, version="v1", size=10)
SEEN = Preview(columns=(PreviewColumn(name="id", type="bigint"),), rows=(("7",), (None,)), truncated=True)


def glance(batch: str = "p-1", request_id: str = "r-1") -> NewBatch:
    made = manifest().model_copy(update={"glance": Glance(file=FILE, rows=7)})
    return NewBatch(batch, "priority", 0, {}, made, request_id=request_id)


async def is_there(ledger: Ledger, request_id: str = "r-1") -> None:
    """A preview whose file was found."""
    await is_asked(ledger, ASKED, request_id)
    await ledger.requests.save_found(found(found_file(), request_id=request_id), reload=False)


async def is_looked_at(ledger: Ledger) -> None:
    """A run works on it."""
    await is_there(ledger)
    batches, epoch = await schedules(ledger)
    submission = await batches.cut(glance(), epoch)
    assert submission is not None
    await batches.save_run(submission, RUN)
    assert await ledger.claim("p-1", 1, RUN)


async def test_there_is_work_for_a_preview_until_it_has_ended(ledger: Ledger) -> None:
    batches, _ = await schedules(ledger)
    await is_asked(ledger)
    of_a_load = await batches.has_work()
    await is_there(ledger, "r-2")
    asked = await batches.has_work()
    await ledger.requests.end_request(request_end("r-2"))

    assert [of_a_load, asked, await batches.has_work()] == [False, True, False]


async def test_a_preview_is_due_when_its_file_was_found(ledger: Ledger) -> None:
    batches, _ = await schedules(ledger)
    await is_asked(ledger, ASKED)
    before = await batches.previews(["orders-v1", "audit-v1"], 10)
    await ledger.requests.save_found(found(found_file()), reload=False)

    assert before == []
    assert await batches.previews(["orders-v1", "audit-v1"], 10) == [DuePreview("r-1", "orders-v1", FILE, 7)]
    assert await at_their_end(ledger) == []


async def test_other_requests_are_no_previews(ledger: Ledger) -> None:
    await is_found(ledger)
    batches, _ = await schedules(ledger)

    assert await batches.previews(["orders-v1", "audit-v1"], 10) == []


async def test_the_first_who_asked_is_first(ledger: Ledger) -> None:
    for number in (2, 1, 3):
        await is_there(ledger, f"r-{number}")
        await ledger.pass_time(1)
    batches, _ = await schedules(ledger)

    assert [due.request_id for due in await batches.previews(["orders-v1", "audit-v1"], 2)] == ["r-2", "r-1"]


async def test_a_preview_is_begun_once(ledger: Ledger) -> None:
    await is_there(ledger)
    batches, epoch = await schedules(ledger)

    first = await batches.cut(glance(), epoch)
    second = await batches.cut(glance("p-2"), epoch)

    assert first is not None
    assert (first.batch, first.n, first.kind, first.lane, first.source_id) == (
        "p-1",
        1,
        "preview",
        "priority",
        "orders-v1",
    )
    assert second is None
    assert await ledger.batch("p-2") is None
    assert await batches.previews(["orders-v1", "audit-v1"], 10) == []


async def test_a_preview_takes_a_slot_but_does_not_keep_its_source_busy(ledger: Ledger) -> None:
    await is_looked_at(ledger)
    batches, _ = await schedules(ledger)

    assert await batches.in_flight() == {"priority": 1}
    assert await batches.busy() == frozenset()


async def test_a_preview_is_attempted_again_as_a_preview(ledger: Ledger) -> None:
    await is_looked_at(ledger)
    await ledger.settlement.fail_attempt("p-1", 1, Again("crash", "it broke", AT_ONCE))
    batches, epoch = await schedules(ledger)

    [due] = await batches.due_batches("priority", 10)
    again = await batches.begin_attempt(due, {}, epoch)

    assert (due.n, due.kind) == (2, "preview")
    assert again is not None
    assert again.kind == "preview"


async def test_a_preview_that_was_looked_at_tells_what_its_run_saw(ledger: Ledger) -> None:
    await is_looked_at(ledger)
    before = await ledger.settlement.preview_to_answer("p-1", 1)
    await ledger.preview("p-1", 1, SEEN)

    ended = await ledger.settlement.preview_to_answer("p-1", 1)

    assert before is not None
    assert before.preview == Preview()
    assert ended is not None
    assert (ended.batch, ended.n, ended.preview) == ("p-1", 1, SEEN)
    assert (ended.request.id, ended.request.kind, ended.request.source_id) == ("r-1", "preview", "orders-v1")
    assert [attempt.result for attempt in await ledger.settlement.open_attempts()] == ["previewed"]


async def test_a_preview_is_not_settled_as_a_load(ledger: Ledger) -> None:
    await is_looked_at(ledger)
    await ledger.preview("p-1", 1, SEEN)

    assert await ledger.settlement.batch_to_settle("p-1", 1) is None


async def test_what_a_preview_saw_is_not_failed_any_more(ledger: Ledger) -> None:
    await is_looked_at(ledger)
    await ledger.preview("p-1", 1, SEEN)

    assert not await ledger.settlement.fail_attempt("p-1", 1, Again("crash", "it broke", AT_ONCE))


async def test_the_end_of_a_preview_is_the_end_of_its_request(ledger: Ledger) -> None:
    await is_looked_at(ledger)
    await ledger.preview("p-1", 1, SEEN)
    end = request_end("r-1", "previewed", None)

    first = await ledger.settlement.end_preview("p-1", 1, end)
    second = await ledger.settlement.end_preview("p-1", 1, end)

    assert (first, second) == (True, False)
    assert await outgoing(ledger) == ["r-1 previewed"]
    assert await ledger.batch("p-1") == SeenBatch(None, "previewed", None)
    seen = await ledger.request("r-1")
    assert seen is not None
    assert seen.outcome == "previewed"
    assert await ledger.settlement.open_attempts() == []
    assert await ledger.settlement.preview_to_answer("p-1", 1) is None
    batches, _ = await schedules(ledger)
    assert await batches.previews(["orders-v1", "audit-v1"], 10) == []


async def test_a_preview_that_failed_is_told_so(ledger: Ledger) -> None:
    await is_looked_at(ledger)

    ended = await ledger.settlement.end_preview("p-1", 1, request_end("r-1", "failed", "it broke three times"))

    assert ended
    assert await ledger.batch("p-1") == SeenBatch(None, "failed", "it broke three times")
    assert await outgoing(ledger) == ["r-1 failed"]
    assert not await ledger.claim("p-1", 1, OTHER_RUN)


async def test_a_preview_whose_request_was_given_up_ends_without_another_answer(ledger: Ledger) -> None:
    await is_looked_at(ledger)
    await ledger.requests.end_request(request_end("r-1", "failed", "enough"))
    await ledger.preview("p-1", 1, SEEN)
    assert await ledger.settlement.preview_to_answer("p-1", 1) is not None

    answered = await ledger.settlement.end_preview("p-1", 1, request_end("r-1", "previewed", None))

    assert not answered
    assert await outgoing(ledger) == ["r-1 failed"]
    assert await ledger.settlement.open_attempts() == []
    assert (await ledger.batch("p-1")) == SeenBatch(None, "previewed", None)


async def test_a_given_up_preview_is_not_begun(ledger: Ledger) -> None:
    await is_there(ledger)
    await ledger.requests.record_requests([asked_request(CancelAsked(request="r-1"), "r-2")], [])
    unlisted = await to_resolve(ledger, CancelToResolve)
    await ledger.requests.cancel_files(unlisted, "enough")
    by_id = {finished.id: finished for finished in await at_their_end(ledger)}
    await ledger.requests.end_request(request_end("r-1"))
    batches, _ = await schedules(ledger)

    assert by_id["r-1"].given_up == "enough"
    assert await batches.previews(["orders-v1", "audit-v1"], 10) == []


async def test_a_preview_of_a_file_that_is_not_there_is_finished(ledger: Ledger) -> None:
    await is_asked(ledger, ASKED)
    for _ in range(2):
        await ledger.requests.save_found(found(missing=[A_CSV]), reload=False)
    batches, _ = await schedules(ledger)

    [finished] = await at_their_end(ledger)

    assert (finished.kind, [file.outcome for file in finished.files]) == ("preview", ["missing"])
    assert await batches.previews(["orders-v1", "audit-v1"], 10) == []


async def test_a_preview_does_not_touch_the_load_of_its_file(ledger: Ledger) -> None:
    await is_claimed(ledger)
    await is_there(ledger)
    batches, epoch = await schedules(ledger)
    await batches.cut(glance(), epoch)

    await ledger.settlement.end_preview("p-1", 1, request_end("r-1", "previewed", None))

    assert [(file.batch_id, file.outcome) for file in await ledger.files()] == [("b-1", None)]
    assert [attempt.batch for attempt in await ledger.settlement.open_attempts()] == ["b-1"]


async def test_previews_of_other_sources_are_not_given(ledger: Ledger) -> None:
    await is_asked(ledger, PreviewAsked(source="orders", file=A_CSV))
    await ledger.requests.save_found(found(found_file()), reload=False)
    batches, _ = await schedules(ledger)

    assert await batches.previews(["audit-v1"], 10) == []

"""What producers and people ask for, from the event to the answer."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from schemas.events.requests import LoadAsked, RequestEvent
from tests.e2e.site import Site, autoloader, csv, eventually

pytestmark = pytest.mark.integration


def load_event(asked: LoadAsked, producer: str, request_id: str) -> RequestEvent:
    return RequestEvent(
        id=request_id,
        source=producer,
        type="autoloader.load.requested.v1",
        time=datetime.now(UTC),
        data=asked,
    )


def test_a_prefix_is_loaded_by_who_may_ask_and_answered_once(site: Site) -> None:
    folder, request_id = uuid4().hex, f"req-{uuid4()}"
    uris = [site.write("asked", f"{folder}/{n}.csv", csv(3, order_id=n)) for n in range(5)]
    asked = LoadAsked(source="asked", prefix=f"{uris[0].rpartition('/')[0]}/")

    site.announce(*uris)  # its source loads only what is requested
    site.ask(load_event(asked, "/backoffice", request_id))
    site.ask(load_event(asked, "/backoffice", request_id))

    [answer] = eventually(lambda: site.answers(request_id), f"an answer to {request_id}")[:1]
    assert answer["type"] == "autoloader.request.loaded.v1"
    counts = {name: count for name, count in answer["data"]["counts"].items() if count}
    assert counts == {"files": 5, "files_loaded": 5, "rows": 15}
    assert {site.rows("lake.sales.asked", uri) for uri in uris} == {3}
    assert len({event["id"] for event in site.answers(request_id)}) == 1


def test_who_may_not_ask_is_told_so(site: Site) -> None:
    request_id = f"req-{uuid4()}"
    uri = site.write("asked", f"{uuid4()}.csv", csv(1, order_id=1))

    site.ask(load_event(LoadAsked(source="asked", files=(uri,)), "/stranger", request_id))

    [answer] = eventually(lambda: site.answers(request_id), f"an answer to {request_id}")
    assert answer["data"]["outcome"] == "rejected"
    assert "/stranger may not ask for asked" in answer["data"]["reason"]
    assert site.file(uri) is None


def test_what_is_loaded_is_skipped_and_only_reloaded_when_that_is_asked(site: Site) -> None:
    uri = site.write("orders", f"{uuid4()}.csv", csv(2, order_id=1, amount=1))
    site.announce(uri)
    site.completion(uri)

    skipped = json.loads(autoloader(site, "request", "orders", uri, "--json").stdout)
    before = site.rows("lake.sales.orders", uri)
    reloaded = json.loads(autoloader(site, "request", "orders", uri, "--reload", "--json").stdout)

    assert (skipped["outcome"], skipped["counts"]["files_already_loaded"], before) == ("loaded", 1, 2)
    assert (reloaded["outcome"], reloaded["counts"]["files_loaded"]) == ("loaded", 1)
    assert site.rows("lake.sales.orders", uri) == 4


def test_a_preview_shows_a_file_s_first_rows_and_loads_nothing(site: Site) -> None:
    uri = site.write("orders", f"{uuid4()}.csv", csv(30, order_id=7, amount="1.50", hello="hello"))

    shown = autoloader(site, "preview", "orders", uri, "--rows", "5")
    answer = json.loads(autoloader(site, "preview", "orders", uri, "--rows", "5", "--json").stdout)

    assert shown.returncode == 0, shown.stderr
    assert "hello" in shown.stdout
    names = [column["name"] for column in answer["preview"]["columns"]]
    assert len(answer["preview"]["rows"]) == 5
    for row in answer["preview"]["rows"]:
        known = dict(zip(names, row, strict=True))
        assert (known["order_id"], known["amount"], known["hello"]) == ("7", "1.50", "hello")
    assert answer["preview"]["truncated"]
    assert answer["preview"]["records"] == 30
    assert site.file(uri) is None


def test_a_paused_source_waits_says_why_and_goes_on_by_the_command_that_is_named(site: Site) -> None:
    uri = site.write("held", f"{uuid4()}.csv", csv(2, order_id=1))

    assert autoloader(site, "pause", "held").returncode == 0
    site.announce(uri)
    eventually(lambda: site.file(uri), "the file is recorded")
    explained = autoloader(site, "explain", uri)
    [command] = [line.split("you can", 1)[1].strip() for line in explained.stdout.splitlines() if "you can" in line]
    done = autoloader(site, *command.split()[1:])

    assert explained.returncode == 3
    assert "its source held is paused" in explained.stdout
    assert done.returncode == 0
    assert site.completion(uri)["counts"]["rows"] == 2


def test_what_waits_is_given_up_and_may_be_retried(site: Site) -> None:
    uri = site.write("held", f"{uuid4()}.csv", csv(2, order_id=1))
    autoloader(site, "pause", "held")
    site.announce(uri)
    eventually(lambda: site.file(uri), "the file is recorded")

    cancelled = json.loads(autoloader(site, "cancel", uri, "--json").stdout)
    given_up = site.file(uri)
    autoloader(site, "resume", "held")
    retried = json.loads(autoloader(site, "retry", uri, "--json").stdout)

    assert (cancelled["outcome"], cancelled["counts"]["files_not_loaded"]) == ("done", 1)
    assert given_up is not None
    assert given_up["outcome"] == "failed"
    assert "cancelled by request" in given_up["reason"]
    assert (retried["outcome"], retried["counts"]["rows"]) == ("loaded", 2)
    assert site.completion(uri)["run"]["lane"] == "priority"


def test_a_quarantined_file_that_was_mended_is_loaded_as_what_it_is_now(site: Site) -> None:
    name = f"{uuid4()}.csv"
    uri = site.write("orders", name, 'order_id,amount\n1,2\n"torn', modified=1_600_000_000)
    site.announce(uri)
    torn = site.completion(uri)
    site.write("orders", name, csv(2, order_id=1, amount=1))

    mended = json.loads(autoloader(site, "request", "orders", uri, "--json").stdout)

    assert torn["files"][0]["outcome"] == "quarantined"
    assert (mended["outcome"], mended["counts"]["rows"]) == ("loaded", 2)


def test_a_pinned_source_is_loaded_in_its_lane_by_a_spark_of_its_own(site: Site) -> None:
    uri = site.write("heavy", f"{uuid4()}.csv", csv(4, order_id=1))

    site.announce(uri)

    data = site.completion(uri)
    assert (data["outcome"], data["run"]["lane"], data["counts"]["rows"]) == ("loaded", "high-memory", 4)
    assert site.rows("lake.sales.heavy", uri) == 4
    run = httpx.get(f"{site.settings['PREFECT_API_URL']}/flow_runs/{data['run']['prefect_run']}").json()
    batch = data["run"]["batch"]
    assert {"source:heavy-v1", f"batch:{batch}", "lane:high-memory", "attempt:1"} <= set(run["tags"])
    assert run["work_queue_name"] == "autoloader-high-memory"

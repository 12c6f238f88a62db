"""Runs that real workers begin and that end by force: the next attempt ends right, the rows are there once."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dev.stack import Stack
from schemas.config.topics import COMPLETIONS_TOPIC
from tests.e2e.site import Site, autoloader, csv, eventually

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).resolve().parents[2]
ORDERS = "lake.sales.orders"


@pytest.fixture(scope="module")
def halting_flow(site: Site) -> Iterator[None]:
    """The deployments run the flow that halts."""
    _python(site, "-m", "tests.e2e.halting")
    yield
    _python(site, "-m", "cli.main", "deploy")


@pytest.mark.usefixtures("halting_flow")
@pytest.mark.parametrize(
    ("step", "when"),
    [
        ("record", "recorded, not published"),
        # without worker and Prefect these are killed on every lake, see tests/integration/test_flow_lakes.py
        pytest.param("stage", "staged, not recorded", marks=pytest.mark.soak),
        pytest.param("publish", "published, no result", marks=pytest.mark.soak),
    ],
)
def test_a_run_killed_between_staging_and_its_result_is_loaded_once(site: Site, step: str, when: str) -> None:
    _halt_after(site, step)
    uri = _announced(site, f"killed after {step}.csv")
    os.kill(_halted(site, when), signal.SIGKILL)
    _go_on(site)
    data = site.completion(uri)

    assert (data["outcome"], data["counts"]["rows"], data["run"]["attempt"]) == ("loaded", 11, 2)
    assert site.rows(ORDERS, uri) == 11
    ends = [(row["outcome"], row["cause"]) for row in _attempts(site, uri)]
    assert ends == [("failed", "out-of-memory"), ("loaded", None)]


@pytest.mark.soak
@pytest.mark.usefixtures("halting_flow")
def test_a_run_that_is_told_to_stop_is_no_crash_and_its_file_is_loaded_once(site: Site) -> None:
    _halt_after(site, "stage")
    uri = _announced(site, f"stopped-{uuid4()}.csv")
    os.kill(_halted(site, "staged"), signal.SIGTERM)
    _go_on(site)
    _assert_loaded_once(site, uri)

    first, second = _attempts(site, uri)
    assert (first["outcome"], first["cause"], second["outcome"]) == ("failed", "infrastructure", "loaded")
    assert re.search(r"SIGTERM|-15|143|Terminat", first["reason"])


@pytest.mark.soak
def test_a_run_that_a_worker_took_and_did_not_begin_makes_way_for_the_next_attempt(stack: Stack, site: Site) -> None:
    stack.kill("worker-default")
    uri = _announced(site, f"pending-{uuid4()}.csv")
    [run] = eventually(lambda: [row["run_id"] for row in _attempts(site, uri) if row["run_id"]], "a run is submitted")
    taken = httpx.post(
        f"{site.settings['PREFECT_API_URL']}/flow_runs/{run}/set_state", json={"state": {"type": "PENDING"}}
    )
    assert taken.json()["status"] == "ACCEPT"  # as the worker says that was killed before it started the process
    stack.start("worker-default")
    _assert_loaded_once(site, uri)

    first, second = _attempts(site, uri)
    assert (first["outcome"], first["claimed_by"], second["outcome"]) == ("void", None, "loaded")
    assert "did not begin within" in first["reason"]


@pytest.mark.soak
@pytest.mark.usefixtures("halting_flow")
def test_a_batch_whose_spark_server_is_killed_three_times_is_loaded_where_it_is_alone(stack: Stack, site: Site) -> None:
    _halt_after(site, "look")
    uri = _announced(site, f"server-lost-{uuid4()}.csv")
    for times in (1, 2, 3):
        _halted(site, f"a session is open for the {times}. time")
        stack.kill("spark-connect")
        _go_on(site)
        eventually(lambda: _lost(site, uri) == times, f"the server is lost {times} times")  # noqa: B023 - called at once
        if times < 3:
            _halt_after(site, "look")
        stack.start("spark-connect")
    _assert_loaded_once(site, uri)

    ends = [(row["lane"], row["outcome"], row["cause"]) for row in _attempts(site, uri)]
    assert [end for end in ends if end[2] != "infrastructure"] == [
        *[("default", "failed", "server-lost")] * 3,
        ("high-memory", "loaded", None),
    ]


@pytest.mark.usefixtures("halting_flow")
def test_a_file_that_kills_every_run_that_holds_it_fails_alone(site: Site) -> None:
    names = ("a", "b deadly", "c", "d")
    autoloader(site, "pause", "orders")
    uris = {name: site.write("orders", f"split {name}.csv", csv(7, order_id=1, amount=1)) for name in names}
    site.announce(*uris.values())
    eventually(lambda: all(site.file(uri) for uri in uris.values()), "all are recorded")
    autoloader(site, "resume", "orders")

    ends = {name: site.completion(uri, seconds=600) for name, uri in uris.items()}

    outcomes = {name: end["outcome"] for name, end in ends.items()}
    assert outcomes == {"a": "loaded", "b deadly": "failed", "c": "loaded", "d": "loaded"}
    assert "until this file was alone" in ends["b deadly"]["reason"]
    assert [site.rows(ORDERS, uri) for uri in uris.values()] == [7, 0, 7, 7]
    split = [event["data"] for event in site.events(COMPLETIONS_TOPIC) if event["data"]["outcome"] == "split"]
    assert [data["split_into"] for data in split] == [
        [f"{data['run']['batch']}-1", f"{data['run']['batch']}-2"] for data in split
    ]
    assert len(split) == 2
    told = autoloader(site, "explain", split[0]["run"]["batch"])
    assert (told.returncode, "so that one file does not fail all" in told.stdout) == (4, True)


def _announced(site: Site, name: str) -> str:
    uri = site.write("orders", name, csv(11, order_id=1, amount=1))
    site.announce(uri)
    return uri


def _halt_after(site: Site, step: str) -> None:
    _beside(site, "halted").unlink(missing_ok=True)
    _beside(site, "halt-after").write_text(step)


def _halted(site: Site, when: str) -> int:
    """The process that halts, waited for."""
    eventually(_beside(site, "halted").exists, f"a run halts: {when}")
    return int(_beside(site, "halted").read_text())


def _go_on(site: Site) -> None:
    _beside(site, "halt-after").unlink()


def _beside(site: Site, name: str) -> Path:
    return Path(site.settings["AUTOLOADER_HOME"]) / name


def _attempts(site: Site, uri: str) -> list[dict[str, Any]]:
    query = "SELECT attempt.* FROM attempt JOIN file USING (batch_id) WHERE uri = %s ORDER BY n"
    return site.ledger(query, uri)


def _lost(site: Site, uri: str) -> int:
    return sum(row["cause"] == "server-lost" and row["ended"] is not None for row in _attempts(site, uri))


def _assert_loaded_once(site: Site, uri: str) -> None:
    """Waits for the completion; then the rows are there, and no other event names the file."""
    data = site.completion(uri, seconds=240)
    assert (data["outcome"], data["counts"]["rows"]) == ("loaded", 11)
    assert (site.rows(ORDERS, uri), len(site.completions(uri))) == (11, 1)


def _python(site: Site, *arguments: str) -> None:
    environ = {**os.environ, **site.settings}
    subprocess.run([sys.executable, *arguments], cwd=PROJECT, env=environ, check=True, capture_output=True)

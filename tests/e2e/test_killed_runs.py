"""kill -9 of the flow's process, by a real worker's run: the next attempt ends right, the rows are there once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    [("stage", "staged, not recorded"), ("record", "recorded, not published"), ("publish", "published, no result")],
)
def test_a_run_killed_between_staging_and_its_result_is_loaded_once(site: Site, step: str, when: str) -> None:
    uri = site.write("orders", f"killed after {step}.csv", csv(11, order_id=1, amount=1))
    halt_after, halted = (Path(site.settings["AUTOLOADER_HOME"]) / name for name in ("halt-after", "halted"))
    halted.unlink(missing_ok=True)
    halt_after.write_text(step)

    site.announce(uri)
    eventually(halted.exists, f"a run halts: {when}")
    os.kill(int(halted.read_text()), signal.SIGKILL)
    halt_after.unlink()
    data = site.completion(uri)

    assert (data["outcome"], data["counts"]["rows"], data["run"]["attempt"]) == ("loaded", 11, 2)
    assert site.rows(ORDERS, uri) == 11
    attempts = site.ledger("SELECT n, outcome, cause FROM attempt WHERE batch_id = %s ORDER BY n", data["run"]["batch"])
    assert [(row["outcome"], row["cause"]) for row in attempts] == [("failed", "out-of-memory"), ("loaded", None)]


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


def _python(site: Site, *arguments: str) -> None:
    environ = {**os.environ, **site.settings}
    subprocess.run([sys.executable, *arguments], cwd=PROJECT, env=environ, check=True, capture_output=True)

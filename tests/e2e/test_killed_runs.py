"""kill -9 of the flow's process, by a real worker's run: the next attempt ends right, the rows are there once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Site, csv, eventually

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


def _python(site: Site, *arguments: str) -> None:
    environ = {**os.environ, **site.settings}
    subprocess.run([sys.executable, *arguments], cwd=PROJECT, env=environ, check=True, capture_output=True)

"""When a worker that can be woken asks Prefect: when it is woken, and after a run if others may wait for its slot."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.site import eventually
from tests.integration import worker_flows
from tests.integration.test_waking import database_url, notify
from tests.integration.test_worker import Site, serving, settings_of, site, waiting, working
from worker.waking import TRY_SECONDS

pytestmark = pytest.mark.integration
__all__ = ["database_url", "site"]  # fixtures


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Mapping[str, str]]:
    """Settings with a ledger's database to be woken in; of itself the worker asks each ten minutes. It logs when."""
    asking = {"PREFECT_WORKER_QUERY_SECONDS": "600", "PREFECT_LOGGING_LEVEL": "DEBUG", "DATABASE_URL": database_url}
    environ = {**settings_of(tmp_path_factory.mktemp("prefect")), **asking}
    with serving(environ):
        yield environ


def questions(log: Path) -> int:
    return log.read_text().count("Querying for flow runs")


async def test_what_found_no_slot_is_begun_when_one_is_free(
    environ: Mapping[str, str], tmp_path: Path, site: Site
) -> None:
    runs = [await site.submit(worker_flows.slow, seconds=0) for _ in range(3)]

    with working(environ, tmp_path / "worker.log"):
        eventually(runs[2][1].exists, "the third has begun", TRY_SECONDS / 2)

        assert [await site.ended(run) for run, _ in runs] == [("COMPLETED", None)] * 3


async def test_what_comes_while_no_slot_is_free_is_begun_when_one_is(
    environ: Mapping[str, str], tmp_path: Path, site: Site
) -> None:
    first, begun = await site.submit(worker_flows.slow, seconds=3)
    with working(environ, tmp_path / "worker.log"):
        eventually(begun.exists, "the first has begun")
        second, begun = await site.submit(worker_flows.slow, seconds=0)
        notify(environ["DATABASE_URL"], "priority")
        eventually(begun.exists, "the second has begun", TRY_SECONDS / 2)

        assert [await site.ended(run) for run in (first, second)] == [("COMPLETED", None)] * 2


async def test_after_a_run_that_left_no_other_nothing_is_asked(
    environ: Mapping[str, str], tmp_path: Path, site: Site
) -> None:
    log = tmp_path / "worker.log"
    first, _ = await site.submit(worker_flows.slow, seconds=0)
    with working(environ, log) as worker:
        assert await site.ended(first) == ("COMPLETED", None)
        eventually(lambda: "is woken by the router" in log.read_text() and len(waiting(worker)) == 1, "it is idle")
        before = questions(log)
        second, _ = await site.submit(worker_flows.slow, seconds=0)
        notify(environ["DATABASE_URL"], "priority")
        assert await site.ended(second) == ("COMPLETED", None)
        eventually(lambda: len(waiting(worker)) == 1, "another process waits")

    assert questions(log) == before + 1

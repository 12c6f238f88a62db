"""Where the kernel finds no more memory for a worker's processes, it takes a run, and that run alone."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.e2e.site import eventually
from tests.integration import worker_flows
from tests.integration.test_worker import Site, environ, site, waiting, working

pytestmark = pytest.mark.integration
__all__ = ["environ", "site"]  # fixtures

GROUPS = Path("/sys/fs/cgroup")
MOST = 300 * 1024**2  # what is in memory before is not counted


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group that has no more than `MOST` bytes for its processes."""
    is_first = (GROUPS / "memory").is_dir()
    group = (GROUPS / "memory" if is_first else GROUPS) / f"autoloader-{uuid4().hex[:8]}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        (group / ("memory.limit_in_bytes" if is_first else "memory.max")).write_text(str(MOST))
        swaps = group / ("memory.swappiness" if is_first else "memory.swap.max")
        if swaps.exists():
            swaps.write_text("0")
    except OSError as error:
        group.rmdir()
        pytest.skip(f"no control group can have a limit of memory here: {error}")
    yield group
    eventually(lambda: _removed(group), "the kernel lets go of it")


def _removed(group: Path) -> bool:
    """Whether it is gone; of a process that has just ended something is there for a moment."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


async def test_the_run_that_takes_too_much_is_killed_and_no_other(
    environ: dict[str, str], tmp_path: Path, site: Site, group: Path
) -> None:
    with working(environ, tmp_path / "worker.log", limit=2) as worker:
        for process in [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]:
            (group / "cgroup.procs").write_text(str(process.pid))
        run, _ = await site.submit(worker_flows.eats)
        beside, _ = await site.submit(worker_flows.slow, seconds=5)

        state, message = await site.ended(run)

        assert (state, (message or "")[:36]) == ("CRASHED", "Process exited with status code: -9.")
        assert await site.ended(beside) == ("COMPLETED", None)
        assert worker.poll() is None
        after, _ = await site.submit(worker_flows.slow, seconds=0)
        assert await site.ended(after) == ("COMPLETED", None)
        assert waiting(worker)

"""What fails while one run is cancelled is tried again, and ends no other run."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from worker import executing
from worker.executing import cancel_one_by_one


class Cancels:
    """Prefect's, which fails so often."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.cancelled: list[UUID] = []

    async def cancel_by_id(self, flow_run_id: UUID) -> None:
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError("Prefect is away")
        self.cancelled.append(flow_run_id)


def context(cancels: Cancels, runs: dict[UUID, str]) -> Any:
    return SimpleNamespace(_cancellation_manager=cancels, process_manager=runs)


async def test_it_is_tried_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executing, "AGAIN_SECONDS", 0)
    run, cancels = uuid4(), Cancels(failures=2)

    cancel_one_by_one(context(cancels, {run: "its process"}))
    await cancels.cancel_by_id(run)

    assert cancels.cancelled == [run]


async def test_it_is_not_tried_when_the_run_has_ended() -> None:
    run, cancels = uuid4(), Cancels(failures=2)

    cancel_one_by_one(context(cancels, {}))
    await cancels.cancel_by_id(run)

    assert cancels.cancelled == []

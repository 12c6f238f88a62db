"""A flow that takes its time, for what happens to a run when its worker goes."""

import time
from pathlib import Path

from prefect import flow


@flow
def slow(seconds: float, begun: str) -> None:
    """Say that it has begun, and take so long."""
    Path(begun).touch()
    time.sleep(seconds)

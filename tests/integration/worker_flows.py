"""Flows that tell and do what a test of the worker wants to see."""

import json
import os
import time
from pathlib import Path

from prefect import flow, get_run_logger


@flow
def slow(seconds: float, begun: str) -> None:
    """Say which process has begun, and take so long."""
    _tell(begun)
    time.sleep(seconds)


@flow
def raises(begun: str) -> None:
    """Fail, as a flow does."""
    _tell(begun)
    raise ValueError("no such thing")


@flow
def leaves(begun: str) -> None:
    """End the process without a word."""
    _tell(begun)
    os._exit(3)


@flow
def eats(begun: str) -> None:
    """Take more memory, until there is no more."""
    _tell(begun)
    eaten = []
    while True:
        eaten.append(b"x" * 10_000_000)
        time.sleep(0.05)


def _tell(begun: str) -> None:
    get_run_logger().info("begun in process %d", os.getpid())
    told = {"pid": os.getpid(), "folder": str(Path.cwd()), "environ": dict(os.environ)}
    Path(f"{begun}.writing").write_text(json.dumps(told))
    Path(f"{begun}.writing").rename(begun)

"""The stack's address and its ports there: chosen once, remembered, and never fought over in silence."""

from __future__ import annotations

import json
import os
import random
import socket
from typing import TYPE_CHECKING

import psutil

from dev.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

# Of all parts. The tests of Kubernetes give it another, which pods reach as well, in a network of their own.
ADDRESS = os.environ.get("AUTOLOADER_ADDRESS", "127.0.0.1")
NAMES = ("postgres", "kafka", "kafka-controller", "prefect", "spark-connect", "router")

# Below the range from which systems give ports to outgoing connections: a part that restarts must not
# find its port lent to somebody's client.
_CANDIDATES = range(20_000, 32_000)


def choose(
    remembered_in: Path,
    environ: Mapping[str, str],
    wanted: Collection[str],
    progress: Callable[[str], None],
) -> dict[str, int]:
    """A port for every name; only those in `wanted` must be free now.

    Raises StackError when a port asked for by `AUTOLOADER_PORT_<NAME>` is not a port or is taken.
    """
    remembered = recall(remembered_in)
    chosen: dict[str, int] = {}
    for name in NAMES:
        asked = environ.get(variable(name))
        if asked is not None:
            chosen[name] = _asked_for(name, asked, must_be_free=name in wanted)
        else:
            chosen[name] = _remembered_or_new(name, remembered.get(name), chosen, wanted, progress)
    remembered_in.write_text(json.dumps(chosen, indent=2) + "\n")
    return chosen


def recall(path: Path) -> dict[str, int]:
    """The ports of the last start; none when the file is missing or damaged."""
    try:
        found = json.loads(path.read_text())
        return {name: int(port) for name, port in found.items() if name in NAMES}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def variable(name: str) -> str:
    return "AUTOLOADER_PORT_" + name.upper().replace("-", "_")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Otherwise connections of the last run in TIME_WAIT make our own port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def answers(port: int, *, timeout_seconds: float = 0.5) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((ADDRESS, port), timeout=timeout_seconds).close()
    except OSError:
        return False
    return True


def holder(port: int) -> str:
    """Who listens on a port, as well as the system tells."""
    try:
        for connection in psutil.net_connections(kind="inet"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass  # some systems tell this only to root
    return "another program"


def _asked_for(name: str, asked: str, *, must_be_free: bool) -> int:
    if not asked.isdigit() or not 0 < int(asked) < 65_536:
        raise StackError(f"{variable(name)}={asked!r} is not a port: give a number from 1 to 65535.")
    port = int(asked)
    if must_be_free and not is_free(port):
        raise StackError(
            f"{name}: port {port} ({variable(name)}) is taken by {holder(port)}. "
            f"Stop that program, or give another port, or unset {variable(name)} to have a free one chosen."
        )
    return port


def _remembered_or_new(
    name: str,
    remembered: int | None,
    chosen: Mapping[str, int],
    wanted: Collection[str],
    progress: Callable[[str], None],
) -> int:
    if remembered is not None and remembered not in chosen.values():
        if name not in wanted or is_free(remembered):
            return remembered
        port = free_port(chosen)
        progress(f"{name:<18} port {remembered} is taken by {holder(remembered)}: using {port} from now on")
        return port
    return free_port(chosen)


def free_port(chosen: Mapping[str, int]) -> int:
    """A port that is free now and not among those chosen."""
    # By chance and not in order, so that two homes that start together rarely meet.
    for port in random.sample(_CANDIDATES, k=200):
        if port not in chosen.values() and is_free(port):
            return port
    raise StackError(f"no free port found from {_CANDIDATES.start} to {_CANDIDATES.stop} on {ADDRESS}.")

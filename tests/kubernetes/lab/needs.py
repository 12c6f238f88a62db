"""What the lab takes of a machine: `python -m tests.kubernetes.lab.needs` names what this one lacks, and fails then."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

PROGRAMS = ("apt-get", "cc", "go", "unshare")  # the others come with its packages
NAMESPACES = ("unshare", "--net", "--mount", "mount", "-t", "tmpfs", "none", "/mnt")
CGROUPS = Path("/sys/fs/cgroup")


def lacking() -> Iterator[str]:
    """What is missing, in a few words each."""
    if os.geteuid() != 0:
        yield "root"
        return
    yield from (f"the program {name}" for name in PROGRAMS if not shutil.which(name))
    if not _succeeds(lambda: subprocess.run(NAMESPACES, check=True, capture_output=True)):
        yield "the right to make network namespaces and mounts"
    if not _succeeds(_make_a_cgroup):
        yield "the right to make control groups"


def _make_a_cgroup() -> None:
    root = CGROUPS if (CGROUPS / "cgroup.controllers").exists() else CGROUPS / "memory"
    probe = root / f"autoloader-probe-{os.getpid()}"
    probe.mkdir()
    probe.rmdir()


def _succeeds(act: Callable[[], object]) -> bool:
    try:
        act()
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


if __name__ == "__main__":
    found = ", ".join(lacking())
    sys.exit(f"no Kubernetes can be started on this machine: it lacks {found}" if found else 0)

"""All of it, one after the other, and what it showed in `docs/performance.md`: `make bench`, on a machine that is idle.

    .venv/bin/python -m benchmarks [part ...]

A part that is named is measured anew; the page keeps what it says of the others.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.stacks import stopped_at_the_end
from dev.stack import Stack

PROJECT = Path(__file__).parents[1]
PAGE = PROJECT / "docs" / "performance.md"
INTRODUCTION = """# Performance

What `make bench` showed. Seconds are of one machine at one time, shared and noisy; the ratios within a part are what
can be relied on. What is measured and what stands beside it is told at the top of each program in `benchmarks/`.
"""

OF_THE_STACK = re.compile(r"\S+ +(ready|done|stopped|downloading|downloaded|will start) ?.*")  # its progress


@dataclass(frozen=True, slots=True)
class Part:
    """A program of `benchmarks/` and what it is told; `on_a_stack`: it expects one that runs."""

    title: str
    words: tuple[str, ...]
    on_a_stack: bool = False

    def output(self) -> str:
        """What it prints. Raises CalledProcessError."""
        command = [sys.executable, "-m", *self.words]
        if not self.on_a_stack:
            return _printed(command, {})
        with tempfile.TemporaryDirectory() as folder:
            stack = Stack(Path(folder), PROJECT / "dev" / "autoloader.yaml")
            with stopped_at_the_end(stack):
                stack.up()
                return _printed(command, {"AUTOLOADER_HOME": folder})


PARTS = {
    "idle": Part("The local stack, started and at rest", ("benchmarks.idle",)),
    "latency": Part("One file on an idle stack", ("benchmarks.latency", "30"), on_a_stack=True),
    "burst": Part("A thousand small files at once, and a run for each file", ("benchmarks.burst",)),
    "steady": Part("Five files a second for twenty minutes, among a thousand sources", ("benchmarks.steady",)),
    "load": Part("Batches beside bare Spark", ("benchmarks.load",)),
    "intake": Part("Events into the ledger", ("benchmarks.intake",)),
    "scheduling": Part("A step of scheduling when a million files wait", ("benchmarks.scheduling",)),
}


def _printed(command: list[str], environ: dict[str, str]) -> str:
    told = {**os.environ, **environ}
    return subprocess.run(command, cwd=PROJECT, env=told, check=True, stdout=subprocess.PIPE, text=True).stdout


def section(part: Part, output: str) -> str:
    """A part's section of the page; what the stack says of its start is left out."""
    machine = f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.machine()}"
    lines = [line for line in output.splitlines() if not OF_THE_STACK.match(line)]
    return (
        f"## {part.title}\n\n`python -m {' '.join(part.words)}`, {datetime.now(UTC):%Y-%m-%d}, {machine}\n\n```text\n"
        + "\n".join(lines).strip("\n")
        + "\n```\n"
    )


def sections_of(page: str) -> dict[str, str]:
    """The page's sections by their title."""
    found = re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]
    return {one.splitlines()[0].removeprefix("## "): one for one in found}


def main(names: list[str]) -> None:
    """Measure, and write the page after each part."""
    known = sections_of(PAGE.read_text()) if PAGE.exists() else {}
    for name in names or PARTS:
        part = PARTS[name]
        print(part.title, flush=True)
        known[part.title] = section(part, part.output())
        ordered = [known[one.title].strip("\n") for one in PARTS.values() if one.title in known]
        PAGE.write_text("\n\n".join([INTRODUCTION.strip("\n"), *ordered]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Act 5: ask why a file is not loaded, and do what the answer says."""

import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cli.demo.act import Act, Samples, pace
from cli.demo.screen import Screen
from cli.demo.site import Site
from cli.exits import Exit

SOURCE = "departures"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said, and its exit code."""

    text: str
    code: int


def stuck_file(site: Site, samples: Samples, screen: Screen) -> Act:
    """Land a file of a paused source, ask why it waits, and do what the answer says."""
    _autoloader(site, screen, ["pause", SOURCE])
    landed = site.land(SOURCE, samples.flights[1:2])
    begun = time.monotonic()
    site.announce(landed)
    site.eventually(lambda: site.recorded(landed), "the file is recorded")
    answer = _autoloader(site, screen, ["explain", landed[0].uri])
    command = way_out(answer.text)
    if answer.code != Exit.WAITING or command is None:
        return Act(landed, problems=[f"explain does not say how the file gets on, but: {answer.text}"])
    _autoloader(site, screen, command)
    with screen.working() as tell:
        site.wait_for(landed, tell)
    figures = {**pace(site, landed, time.monotonic() - begun), "explained": answer.text, "done": shlex.join(command)}
    return Act(landed, figures=figures)


def way_out(explanation: str) -> Sequence[str] | None:
    """The arguments of the `autoloader resume …` that stands under "you can"."""
    commands = [line.split("you can", 1)[1].split() for line in explanation.splitlines() if "you can" in line]
    return next((command[1:] for command in commands if command[:2] == ["autoloader", "resume"]), None)


def _autoloader(site: Site, screen: Screen, arguments: Sequence[str]) -> Answer:
    """Run a command as a person would type it, and show it with its answer."""
    screen.say(f"$ autoloader {shlex.join(arguments)}", "cyan")
    command = [sys.executable, "-m", "cli.main", *arguments]
    done = subprocess.run(command, env=site.environ, capture_output=True, text=True, check=False)
    answer = Answer((done.stdout + done.stderr).rstrip(), done.returncode)
    screen.say(answer.text)
    return answer

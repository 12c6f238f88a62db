"""`autoloader demo`: start the stack, play the acts, count after each, and say the result in one last line.

The acts stand in one table, in their order; each is a function of the running stack, the sample files and the screen.
An act says what it did and what it saw go wrong, and does not judge the whole: after each act everything that has
landed so far is counted anew, so an act that harms the files of an earlier one is found out. The last line and the exit
code are those of the last count. All figures are also in `demo-report.json`.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import environment
from cli.demo.account import Account, account
from cli.demo.act import Act, Play, Samples
from cli.demo.asking import stuck_file
from cli.demo.killing import killed_parts
from cli.demo.landing import many_files, one_file
from cli.demo.screen import Screen
from cli.demo.site import Site
from cli.demo.trouble import trouble_and_lanes
from cli.exits import Exit, ended
from dev import jars
from dev.home import Home
from dev.spark import has_class_data
from dev.stack import Stack, StackError

# Measured with two cores, rounded up; the first time Spark learns to start faster.
MINUTES, MINUTES_THE_FIRST_TIME = 2, 3
LINEITEM_SCALE = 0.02
BACKLOG_FILES = 12
SHOWN_PROBLEMS = 10

ACTS: Mapping[str, Play] = {
    "one file": one_file,
    "a year of files at once, every notification twice": many_files,
    "a year of weather, while router, broker and Prefect's server get SIGKILL": killed_parts,
    "trouble, and lanes": trouble_and_lanes,
    "a file that is stuck": stuck_file,
}


@dataclass(frozen=True, slots=True)
class Played:
    """An act, how long it took with its counting, and the account of all acts up to it."""

    title: str
    act: Act
    account: Account
    seconds: float

    @property
    def problems(self) -> Sequence[str]:
        """What this act saw go wrong, and what the account did."""
        return [*self.act.problems, *self.account.problems]


def demo(*, keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running.")] = False) -> None:
    """Play five acts on the local stack and count what came of them. Exit code 1: something is lost, twice, unsaid."""
    begun, screen, home = time.monotonic(), Screen(), environment.home()
    config = environment.config({"AUTOLOADER_HOME": str(home), **os.environ})
    stack = Stack(home, environment.config_path(os.environ).resolve(), progress=screen.aside, environ=_for_a_minute())
    folders = Home(home, Path(os.environ.get("AUTOLOADER_JARS", home / "jars")).resolve())
    first = not has_class_data(folders, os.environ)
    screen.say(announcement(folders, first=first))
    making = ThreadPoolExecutor(1).submit(make_samples, home / "demo-files")
    stack.up()
    try:
        ready = time.monotonic()
        with closing(Site(stack, config, f"{datetime.now(UTC):run-%Y%m%d-%H%M%S}")) as site:
            played = play(site, making.result(), screen)
        acted = time.monotonic()
        if first:
            _make_next_starts_faster(stack, screen)
    finally:
        if not keep:
            with screen.working() as tell:
                tell("stopping the stack")
                stack.down()
    seconds = {"stack_ready": ready - begun, "acts": acted - ready, "all": time.monotonic() - begun}
    path = home / "demo-report.json"
    path.write_text(json.dumps(report(played, seconds), indent=2, default=str) + "\n")
    if keep:
        screen.say(how_to_go_on(stack.settings(), config.sources["yours"].from_.path))
    screen.say(f"stack ready in {seconds['stack_ready']:.0f} s, all in {seconds['all']:.0f} s; {path}")
    screen.last(played[-1].account.line)
    raise ended(Exit.TROUBLE if any(one.problems for one in played) else Exit.DONE)


def _for_a_minute() -> Mapping[str, str]:
    """The environment, with Java's quick compiler alone: the other one's work pays off after the demo's end.

    For that one Java reserves 48 MB of code, which Spark's server can fill; with both it reserves 240.
    """
    options = (os.environ.get("JDK_JAVA_OPTIONS", ""), "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=240m")
    return {**os.environ, "JDK_JAVA_OPTIONS": " ".join(options).strip()}


def _make_next_starts_faster(stack: Stack, screen: Screen) -> None:
    """Record Spark's class data. Nothing depends on it, so its failure is told and no more."""
    with screen.working() as tell:
        tell("once: Spark learns to start faster")
        try:
            stack.record_class_data()
        except StackError as error:
            screen.aside(str(error))


def announcement(home: Home, *, first: bool) -> str:
    """Say what is about to happen, before anything is downloaded or started."""
    missing = [one for one in (jars.KAFKA, jars.SPARK) if not one.complete_in(home.jars)]
    downloads = ", ".join(f"{one.contents} ({one.megabytes} MB)" for one in missing)
    more = " and the downloads" if missing else ""
    minutes = MINUTES_THE_FIRST_TIME if first else MINUTES
    return (
        "five acts on a real PostgreSQL, Kafka, Prefect and Spark, on loopback ports of this machine\n"
        f"to download: {downloads or 'nothing'}\n"
        f"it takes about {minutes} minutes{more} (measured with two cores, rounded up)\n"
        f"everything lies below {home.root}"
    )


def make_samples(folder: Path) -> Samples:
    """Make the files of the demo: two seconds of work, done while the stack starts."""
    from dev import nycflights, samples, tpch  # noqa: PLC0415 - pyarrow, for this command alone

    flights = nycflights.flights_by_day(folder / "flights")
    zipped = [samples.zipped(day) for day in flights[:4]]
    return Samples(
        flights=flights,
        weather=nycflights.weather_by_day(folder / "weather"),
        zipped=zipped[:-1],
        broken=samples.cut_in_half(zipped[-1]),
        lineitem=tpch.lineitem(folder, scale=LINEITEM_SCALE),
        planes=nycflights.planes_in_parts(folder / "planes", BACKLOG_FILES),
    )


def play(site: Site, samples: Samples, screen: Screen) -> Sequence[Played]:
    """Play one act after the other; after each, all that landed so far is counted anew."""
    played: list[Played] = []
    for number, (title, act) in enumerate(ACTS.items(), start=1):
        screen.heading(f"{number}  {title}")
        begun = time.monotonic()
        acts = [*(one.act for one in played), act(site, samples, screen)]
        with screen.working() as tell:
            tell("counting what came of it")
            counted = _counted(site, acts)
        played.append(Played(title, acts[-1], counted, time.monotonic() - begun))
        _judge(screen, played[-1])
    return played


def _counted(site: Site, acts: Sequence[Act]) -> Account:
    landed = [file for act in acts for file in act.landed]
    requests = [request for act in acts for request in act.requests]
    return account(landed, requests, sum(act.dead_letters for act in acts), site.found(landed))


def _judge(screen: Screen, played: Played) -> None:
    for problem in played.problems[:SHOWN_PROBLEMS]:
        screen.judge(problem, right=False)
    if (more := len(played.problems) - SHOWN_PROBLEMS) > 0:
        screen.judge(f"and {more} more, in the report", right=False)
    screen.judge(f"{played.account.rows:,} rows so far · {played.account.line}", right=not played.problems)


def report(played: Sequence[Played], seconds: Mapping[str, float]) -> dict[str, Any]:
    """What was played, as `demo-report.json` holds it for programs."""
    whole = played[-1].account
    return {
        "right": not any(one.problems for one in played),
        "line": whole.line,
        "rows": whole.rows,
        "lost": whole.lost,
        "twice": whole.twice,
        "completions": {"answered": whole.answered, "asked": whole.asked},
        "runs": sum(one.act.figures.get("runs", 0) for one in played),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "acts": [
            {
                "title": one.title,
                "seconds": round(one.seconds, 1),
                "files": len(one.act.landed),
                "rows": sum(file.rows for file in one.act.landed),
                "figures": one.act.figures,
                "account": asdict(one.account),
                "problems": one.problems,
            }
            for one in played
        ],
    }


def how_to_go_on(settings: Mapping[str, str], landing: str) -> str:
    """Say what to do with a stack that is left running."""
    program = os.path.relpath(Path(sys.executable).with_name("autoloader"))
    folder = landing.removeprefix("file://")
    return (
        "\nthe stack is running, nothing watches over it\n"
        f"your own data   drop a CSV file into {folder} and announce it: {program} land yours {folder}FILE.csv\n"
        f"look            {program} status\n"
        f"                {program} explain {landing}FILE.csv\n"
        f"                Prefect at {settings['PREFECT_API_URL'].removesuffix('/api')}\n"
        f"stop            {program} down"
    )

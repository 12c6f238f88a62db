"""Act 4: a poison record, a broken file, a big file, and a request that overtakes a backlog, all at the same time."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cli.demo.account import Event, Landed
from cli.demo.act import Act, Judged, Samples, pace, shown
from cli.demo.screen import Screen
from cli.demo.site import Site
from router.rules.completion import OutgoingEvent
from schemas.config import ARRIVALS_TOPIC

POISON = "this is not JSON"


def trouble_and_lanes(site: Site, samples: Samples, screen: Screen) -> Act:
    """A poison record, a broken file, a big file, and a request that overtakes a backlog, all at the same time."""
    whole = site.land("zipped", samples.zipped)
    (broken,) = site.land("zipped", [samples.broken])
    broken = replace(broken, outcome="quarantined")
    (big,) = site.land("lineitem", [samples.lineitem])
    backlog = site.land("backlog", samples.planes)
    landed = [*whole, broken, big, *backlog]
    request = f"demo-{site.run}"
    begun = time.monotonic()
    site.topics.send([OutgoingEvent(ARRIVALS_TOPIC, "poison", POISON)])
    site.announce(landed)
    with screen.working() as tell:
        site.eventually(lambda: site.recorded(backlog[-1:]), "the last file of the backlog is recorded")
        site.ask_for("backlog", backlog[-1], request)
        site.wait_for(landed, tell)
    figures = pace(site, landed, time.monotonic() - begun)
    judged = [
        _poisoned(site.topics.dead_letters()),
        _quarantined(site, broken, whole),
        _in_lane(site, big, "high-memory"),
        _overtook(site, request, backlog),
    ]
    screen.say(shown(figures))
    for text, right in judged:
        screen.judge(text, right=right)
    problems = [text for text, right in judged if not right]
    return Act(landed, requests=[request], dead_letters=1, figures=figures, problems=problems)


def _poisoned(letters: Sequence[Event]) -> Judged:
    found = {letter["id"]: letter["data"] for letter in letters if letter["data"]["value"] == POISON}
    said = "; ".join(f"{letter['reason']}: {letter['detail']}" for letter in found.values())
    right = [letter["reason"] for letter in found.values()] == ["not-json"]
    return Judged(f"poison record → dead letter {said or 'did not come'}", right)


def _quarantined(site: Site, broken: Landed, neighbours: Sequence[Landed]) -> Judged:
    (event,) = site.completions_of([broken])
    file = next(file for file in event["data"]["files"] if file["uri"] == broken.uri)
    beside = sum(recorded.outcome == "loaded" for recorded in site.recorded(neighbours))
    return Judged(
        f"half a gzip → {file['outcome']}: {file['reason']}; {beside} of {len(neighbours)} beside it loaded",
        file["outcome"] == "quarantined" and bool(file["reason"]) and beside == len(neighbours),
    )


def _in_lane(site: Site, big: Landed, lane: str) -> Judged:
    (event,) = site.completions_of([big])
    data = event["data"]
    return Judged(
        f"TPC-H lineitem, {data['counts']['bytes'] / 1e6:.1f} MB → lane {data['run']['lane']}",
        data["run"]["lane"] == lane,
    )


def _overtook(site: Site, request: str, backlog: Sequence[Landed]) -> Judged:
    answers = [event for event in site.topics.completions() if event["data"].get("request") == request]
    if not answers:
        return Judged(f"request {request}: no completion came", right=False)
    answered = _time(answers[0])
    others = [_time(event) for event in site.completions_of(backlog) if event["data"]["run"]["lane"] != "priority"]
    after = sum(time > answered for time in others)
    return Judged(
        f"request for the last of {len(backlog)} files → overtook {after} of {len(others)} batches in front of it",
        after > 0,
    )


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])

"""Act 4: a poison record, a broken file, a big file, and a request that overtakes a backlog, all at the same time."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cli.demo.account import Event, Landed
from cli.demo.act import Act, Judged, Samples, pace, shown
from cli.demo.screen import Screen
from cli.demo.site import Site
from router.rules.outgoing import OutgoingEvent
from schemas.config.topics import ARRIVALS_TOPIC

POISON = "this is not JSON"


def trouble_and_lanes(site: Site, samples: Samples, screen: Screen) -> Act:
    """Send a poison record, land a broken and a big file, and let a request overtake a backlog."""
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
        site.eventually(lambda: site.answered(request), f"the answer to request {request}")
    figures = pace(site, landed, time.monotonic() - begun)
    of_broken, of_big, of_asked = (site.completion_of(file) for file in (broken, big, backlog[-1]))
    answers = [event for event in site.topics.completions() if event["data"].get("request") == request]
    judged = [
        poisoned(site.topics.dead_letters()),
        quarantined(_named(broken, of_broken), [recorded.outcome for recorded in site.recorded(whole)]),
        in_lane(of_big, "high-memory"),
        overtook(answers, of_asked, site.completions_of(backlog[:-1])),
    ]
    screen.say(shown(figures))
    for text, right in judged:
        screen.judge(text, right=right)
    problems = [text for text, right in judged if not right]
    return Act(landed, requests=[request], dead_letters=1, figures=figures, problems=problems)


def _named(file: Landed, completion: Event) -> Event:
    return next(named for named in completion["data"]["files"] if named["uri"] == file.uri)


def poisoned(letters: Sequence[Event]) -> Judged:
    """Judge whether one dead letter has the poison and says why."""
    found = {letter["id"]: letter["data"] for letter in letters if letter["data"]["value"] == POISON}
    said = "; ".join(f"{letter['reason']}: {letter['detail']}" for letter in found.values())
    right = [letter["reason"] for letter in found.values()] == ["not-json"]
    return Judged(f"poison record → dead letter {said or 'did not come'}", right)


def quarantined(broken: Event, neighbours: Sequence[str | None]) -> Judged:
    """Judge the broken file, as its completion names it, by its reason and how its neighbours ended."""
    beside = sum(outcome == "loaded" for outcome in neighbours)
    return Judged(
        f"half a gzip → {broken['outcome']}: {broken['reason']}; {beside} of {len(neighbours)} beside it loaded",
        broken["outcome"] == "quarantined" and bool(broken["reason"]) and beside == len(neighbours),
    )


def in_lane(completion: Event, lane: str) -> Judged:
    """Judge by the big file's completion whether it took this lane."""
    data = completion["data"]
    taken = data["run"]["lane"]
    return Judged(f"TPC-H lineitem, {data['counts']['bytes'] / 1e6:.1f} MB → lane {taken}", taken == lane)


def overtook(answers: Sequence[Event], own: Event, others: Sequence[Event]) -> Judged:
    """Judge whether the request was answered before batches of the backlog.

    `own` is the completion of the batch with its file, `others` are those of the backlog's other batches.
    """
    lane = own["data"]["run"]["lane"]
    answered = min((_time(answer) for answer in answers), default=None)
    after = sum(answered is not None and answered < _time(other) for other in others)
    text = f"request for the backlog's last file → lane {lane}, answered before {after} of {len(others)} other batches"
    return Judged(text, lane == "priority" and after > 0)


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(event["time"])

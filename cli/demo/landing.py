"""Acts 1 and 2: a file, and a year of files."""

import time
from collections.abc import Mapping

from cli.demo.act import Act, Samples, pace, shown
from cli.demo.screen import Screen
from cli.demo.site import Site

MOST_RUNS = 12
SPANS = {
    "landed_to_cut": "event → in a batch",
    "cut_to_submit": "→ run created in Prefect",
    "submit_to_start": "→ begun by a worker",
    "load": "→ loaded and reported",
    "landed_to_queryable": "event → rows can be queried",
}


def one_file(site: Site, samples: Samples, screen: Screen) -> Act:
    """Load one file on an idle stack, and show where its seconds went."""
    landed = site.land("flights", samples.flights[:1])
    begun = time.monotonic()
    site.announce(landed)
    with screen.working() as tell:
        site.wait_for(landed, tell)
    seconds = time.monotonic() - begun
    spans: Mapping[str, float] = site.completion_of(landed[0])["data"]["seconds"]
    screen.say(
        f"{landed[0].uri}\n{landed[0].rows} rows in {landed[0].table} after {spans['landed_to_queryable']:.1f} s"
    )
    screen.spans({SPANS[name]: spans[name] for name in SPANS if name in spans})
    return Act(landed, figures={"runs": site.runs(landed), "seconds": round(seconds, 1), "spans": spans})


def many_files(site: Site, samples: Samples, screen: Screen) -> Act:
    """Load a year of files at once, each announced twice, by few runs."""
    landed = site.land("history", samples.flights)
    begun = time.monotonic()
    site.announce(landed, times=2)
    with screen.working() as tell:
        site.wait_for(landed, tell)
    figures = pace(site, landed, time.monotonic() - begun)
    screen.say(f"{shown(figures)}; {2 * len(landed)} notifications")
    too_many = [f"{figures['runs']} runs, more than {MOST_RUNS}"] if figures["runs"] > MOST_RUNS else []
    return Act(landed, figures=figures, problems=too_many)

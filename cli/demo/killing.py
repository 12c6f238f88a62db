"""Act 3: SIGKILL to the router, the broker and Prefect's server while files load."""

import time
from concurrent.futures import ThreadPoolExecutor

from cli.demo.act import Act, Samples, pace, shown
from cli.demo.screen import Screen
from cli.demo.site import Site

KILLED = ("router", "kafka", "prefect")


def killed_parts(site: Site, samples: Samples, screen: Screen) -> Act:
    """Send SIGKILL to the router, the broker and Prefect's server while files load."""
    landed = site.land("storm", samples.weather)
    half = len(landed) // 2
    begun = time.monotonic()
    site.announce(landed[:half], times=2)
    with screen.working() as tell:
        tell("waiting for a run that works")
        site.eventually(lambda: site.claimed(landed), "a run works on the first files")
        before = {part: site.stack.pid(part) for part in KILLED}
        killed = time.monotonic()
        site.stack.kill("router")
        site.announce(landed[half:], times=2)  # nobody has read this when the broker dies
        site.stack.kill("kafka")
        site.stack.kill("prefect")
        tell(f"{', '.join(KILLED)} are dead and start again")
        _start_again(site)
        back = time.monotonic()
        alive = [part for part in KILLED if before[part] in {None, site.stack.pid(part)}]
        site.wait_for(landed, tell)
    figures = pace(site, landed, time.monotonic() - begun)
    screen.say(f"SIGKILL to {', '.join(KILLED)} after {killed - begun:.1f} s, all back {back - killed:.1f} s later")
    screen.say(shown(figures))
    return Act(
        landed,
        figures={**figures, "killed": KILLED, "seconds_away": round(back - killed, 1)},
        problems=[f"{part} was not killed" for part in alive],
    )


def _start_again(site: Site) -> None:
    with ThreadPoolExecutor() as pool:
        prefect = pool.submit(site.stack.start, "prefect")
        site.stack.start("kafka")
        site.stack.start("router")
        prefect.result()

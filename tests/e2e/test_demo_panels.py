"""What the dashboards show at the end of the demo, which kills the router too, beside what its ledger says."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.site import PROJECT, Site, eventually, free_port
from tests.e2e.test_dashboards import QUERIES, Seen, looked_at, test_a_number_is_the_ledgers
from tests.servers.prometheus import HAS_PROMETHEUS, scraping

pytestmark = [pytest.mark.integration, pytest.mark.soak, HAS_PROMETHEUS]
__all__ = ["test_a_number_is_the_ledgers"]  # the same, of what is seen here

TABLE = PROJECT / ".autoloader" / "panels-of-the-demo.md"
PROGRAM = (sys.executable, "-m", "cli.main")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The whole demo, scraped from the router's first moment on."""
    home = tmp_path_factory.mktemp("demo")
    jars = os.environ.get("AUTOLOADER_JARS", str(PROJECT / ".autoloader" / "jars"))
    environ = {**os.environ, "AUTOLOADER_HOME": str(home), "AUTOLOADER_JARS": jars}
    try:
        with (home / "demo.log").open("w") as log:
            demo = subprocess.Popen([*PROGRAM, "demo", "--keep"], cwd=PROJECT, env=environ, stdout=log, stderr=log)
        settings = home / "settings.json"
        eventually(settings.exists, "the demo's stack has its ports")
        site = Site(json.loads(settings.read_text()))
        router = f"127.0.0.1:{site.settings['AUTOLOADER_HTTP_PORT']}"
        with scraping([router], tmp_path_factory.mktemp("prometheus"), free_port()) as prometheus:
            [begun] = [row["now"] for row in site.ledger("SELECT now()")]
            assert demo.wait(600) == 0, (home / "demo.log").read_text()
            looked_at(site, prometheus)
            found = Seen(site, prometheus, begun)
            TABLE.write_text("".join(found.table({query: found.shown(query) for query in QUERIES})))
            yield found
    finally:
        subprocess.run([*PROGRAM, "down"], cwd=PROJECT, env=environ, check=True)

"""Prometheus and promtool as Debian packages them, unpacked below .autoloader: nothing is installed or begun."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.servers.tools import TOOLS

PROGRAMS = ("prometheus", "promtool")
FOLDER = TOOLS / "prometheus"
HAS_PROMETHEUS = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)) and not all(map(shutil.which, ("apt-get", "dpkg-deb"))),
    reason="Prometheus is not here, and no Debian to have it from",
)


def program(name: str) -> str:
    """The path of one of the two: of this machine, or of Debian's package."""
    if not (found := shutil.which(name)) and not (FOLDER / name).exists():
        _unpack()
    return found or str(FOLDER / name)


def _unpack() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as draft:
        with suppress(subprocess.CalledProcessError):
            _run(draft, "apt-get", "download", "prometheus")
        if not list(Path(draft).glob("*.deb")):  # the lists of a new machine are empty
            _run(draft, "apt-get", "update", "--quiet")
            _run(draft, "apt-get", "download", "prometheus")
        [package] = Path(draft).glob("*.deb")
        _run(draft, "dpkg-deb", "--extract", str(package), "root")
        for name in PROGRAMS:
            Path(draft, "root", "usr", "bin", name).rename(FOLDER / name)


def _run(folder: str, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


class Prometheus:
    """One that runs, by its address, and how many targets it scrapes."""

    def __init__(self, url: str, targets: int) -> None:
        self._url = url
        self._targets = targets

    def ask(self, query: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """What a query is just now: labels and value of each series; a wrong query raises."""
        with urlopen(f"{self._url}/api/v1/query?{urlencode({'query': query})}", timeout=30) as answer:  # noqa: S310 - a loopback address of ours
            result = json.load(answer)["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in result]

    def examples(self, metric: str) -> Sequence[Mapping[str, str]]:
        """The labels of the exemplars of a metric's series in the last hour."""
        asked = urlencode({"query": metric, "start": time.time() - 3600, "end": time.time() + 60})
        with urlopen(f"{self._url}/api/v1/query_exemplars?{asked}", timeout=30) as answer:  # noqa: S310 - a loopback address of ours
            found = json.load(answer)["data"]
        return [example["labels"] for series in found for example in series["exemplars"]]

    def guesses_little(self) -> bool:
        """Whether less than 4 % of an `increase` is guessed: it goes up to 1.6 scrapes beyond the first and last."""
        return bool(self.ask("min(count_over_time(up[1h])) > 40"))

    def answers(self) -> bool:
        """Whether it is up and has scraped all its targets."""
        with suppress(URLError, ConnectionError):
            return len(self.ask("up == 1")) == self._targets
        return False


@contextmanager
def scraping(targets: Sequence[str], folder: Path, port: int) -> Iterator[Prometheus]:
    """A Prometheus that scrapes these `host:port` as the job `router`, four times a second.

    So often, because `increase` guesses what was counted between its last scrape and now.
    """
    config: dict[str, Any] = {
        "global": {"scrape_interval": "250ms"},
        "scrape_configs": [{"job_name": "router", "static_configs": [{"targets": list(targets)}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            prometheus = Prometheus(f"http://127.0.0.1:{port}", len(targets))
            while not prometheus.answers():
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)  # between two looks at a condition
            yield prometheus
        finally:
            process.terminate()

"""docker-compose.yml, as the compose specification's own loader reads it: that needs no Docker engine.

The loader is built by Go, where there is one; the tests are skipped elsewhere.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prefect import settings as prefect_settings

from schemas.config import Config, parse_config
from schemas.config.lanes import LANES
from schemas.config.topics import OUR_TOPICS
from tests.servers.tools import HAS_GO, TOOLS, installed

pytestmark = [pytest.mark.integration, HAS_GO]

LOADER = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"
FILE = "docker-compose.yml"
OURS = "autoloader:local"
PLAINTEXT = {"postgres", "kafka", "prefect", "s3", "spark-connect"}
MOST_MEBIBYTES = 12 * 1024  # of the 16 GiB of a laptop
ONCE = {"topics", "migrate", "deploy"}
# The variables of other images, as their own pages tell them.
OTHERS = {
    "postgres": r"POSTGRES_(USER|PASSWORD)",
    "apache/kafka": r"CLUSTER_ID|KAFKA_[A-Z_]+",
    "versity/versitygw": r"ROOT_(ACCESS|SECRET)_KEY",
    "grafana/grafana": r"GF_(ANALYTICS|AUTH_ANONYMOUS|SECURITY)_[A-Z_]+",
}

Services = Mapping[str, Mapping[str, Any]]


def loaded(file: str | Path) -> subprocess.CompletedProcess[str]:
    loader = installed(LOADER, "cmd", TOOLS / "compose-go")
    return subprocess.run([loader, "--format", "json", file], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def services() -> Services:
    told = loaded(FILE)
    assert told.returncode == 0, told.stderr
    found: Services = json.loads(told.stdout)["services"]
    return found


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config(Path("compose/autoloader.yaml").read_text(), {})


def test_the_loader_refuses_what_the_specification_does_not_know(tmp_path: Path) -> None:
    broken = tmp_path / FILE
    broken.write_text(Path(FILE).read_text().replace("mem_limit:", "memory:"))

    assert "memory" in loaded(broken).stderr


def test_every_port_is_on_the_loopback_address(services: Services) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]

    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert len({port["published"] for port in published}) == len(published)


def test_no_network_of_the_machine_is_used(services: Services) -> None:
    assert [name for name, service in services.items() if service.get("network_mode")] == []


def test_what_is_waited_for_says_when_it_is_there(services: Services) -> None:
    waited = [(name, one["condition"]) for service in services.values() for name, one in _needs(service).items()]

    assert {name for name, condition in waited if condition == "service_completed_successfully"} == ONCE
    for name, condition in waited:
        assert condition == ("service_completed_successfully" if name in ONCE else "service_healthy"), name
        assert name in ONCE or services[name]["healthcheck"]["test"], name


def test_what_runs_once_ends_and_all_others_are_looked_after(services: Services) -> None:
    kept = {name for name, service in services.items() if service.get("restart") == "unless-stopped"}

    assert kept == services.keys() - ONCE
    assert all(services[name]["healthcheck"]["test"] for name in kept)


def test_every_image_has_a_tag_that_stays(services: Services) -> None:
    tags = {service["image"] for service in services.values() if service["image"] != OURS}

    assert [tag for tag in tags if not re.search(r":v?\d+\.\d+(\.\d+)?$", tag)] == []
    assert {service["image"] for service in services.values() if "build" in service} == {OURS}


def test_above_every_image_stands_where_its_tags_are_told() -> None:
    lines = [line.strip() for line in Path(FILE).read_text().splitlines()]
    images = [place for place, line in enumerate(lines) if line.startswith("image:")]
    foreign = [place for place in images if OURS not in lines[place] and "*" not in lines[place]]

    assert [lines[place] for place in foreign if not lines[place - 1].startswith("# https://")] == []


def test_every_variable_is_one_that_the_image_knows(services: Services) -> None:
    documented = set(re.findall(r"`([A-Z][A-Z_]+)`", Path("docs/settings.md").read_text()))

    def is_ours(variable: str) -> bool:
        known = variable in documented or hasattr(prefect_settings, variable)
        return known or variable.startswith("AWS_") or variable == "DO_NOT_TRACK"

    for name, service in services.items():
        variables = service.get("environment") or {}
        told = re.compile(OTHERS.get(service["image"].partition(":")[0], "-"))
        unknown = [one for one in variables if not (is_ours(one) if service["image"] == OURS else told.fullmatch(one))]
        assert unknown == [], name


def test_plaintext_is_allowed_in_so_many_words(services: Services) -> None:
    allowed = {service["environment"].get("AUTOLOADER_ALLOW_PLAINTEXT") for service in _ours(services).values()}

    assert {frozenset(one.split(",")) for one in allowed if one} == {frozenset(PLAINTEXT)}


def test_the_configuration_is_read_and_its_lanes_have_their_workers(services: Services, config: Config) -> None:
    for lane in LANES:
        command = services[f"worker-{lane}"]["command"]
        assert config.lanes.of(lane).pool.type == "process"
        assert command[:4] == ["worker", lane, "--limit", str(config.lanes.of(lane).slots)]


def test_every_topic_is_made(services: Services, config: Config) -> None:
    made = re.findall(r"[\w-]+\.[\w-]+(?=[ ;])", " ".join(services["topics"]["command"]))

    assert {*OUR_TOPICS, *config.arrival_topics} <= set(made)


def test_what_is_mounted_is_there(services: Services) -> None:
    """Docker would make an empty folder of it."""
    mounts = [mount for service in services.values() for mount in service.get("volumes", ())]

    assert [mount["source"] for mount in mounts if mount["type"] == "bind" and not Path(mount["source"]).exists()] == []


def test_the_memory_of_a_laptop_is_enough(services: Services) -> None:
    limits = [service["mem_limit"] for name, service in services.items() if name not in ONCE]

    assert sum(int(limit[:-1]) * {"m": 1, "g": 1024}[limit[-1]] for limit in limits) <= MOST_MEBIBYTES


def _needs(service: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    return service.get("depends_on") or {}


def _ours(services: Services) -> Services:
    return {name: service for name, service in services.items() if service["image"] == OURS}

"""Documentation that fails a test when it lies."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from cli.exits import MEANINGS, Exit
from cli.main import app
from cli.reference import reference
from router.notifications.decode import decode
from router.notifications.providers.ours import KINDS
from router.notifications.record import Arrival, Position, Record
from router.notifications.requests import MODELS, request
from schemas.completions import BatchCompletion, BatchOutcome, RequestOutcome
from schemas.config import Config, parse_config
from schemas.config.lanes import HighMemory
from schemas.config.pools.cloud_run import CloudRunPool
from schemas.config.pools.docker import DockerPool
from schemas.config.pools.ecs import EcsPool
from schemas.config.pools.kubernetes import KubernetesPool
from schemas.config.pools.vertex_ai import VertexPool
from schemas.config.sizes import ConnectServers, SizeClass
from schemas.config.sources import BatchLimits, From, Into, LanePin, SourceConfig
from schemas.config.topics import ARRIVALS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, REQUESTS_TOPIC, TopicConfig
from schemas.formats.csv import Csv
from schemas.published import MODELS as PUBLISHED
from tests.unit.test_notifications import WRITTEN

README = Path("README.md").read_text()
SETTINGS = Path("docs/settings.md").read_text()
POOLS = (CloudRunPool, DockerPool, EcsPool, KubernetesPool, VertexPool)
ROOMS = ("router", "flows", "worker", "cli", "dev", "schemas", "storage")


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 130


def test_the_event_of_the_readme_is_understood() -> None:
    record = Record(Position("t", 0, 0), None, code_blocks("json")[0].encode(), (), WRITTEN)

    (arrival,) = decode(record)

    assert isinstance(arrival, Arrival)
    assert arrival.uri == "s3://landing/orders/2026/11/24/part-0001.csv"


def test_the_completion_of_the_readme_names_only_what_there_is() -> None:
    data = json.loads(code_blocks("json")[1])["data"]

    assert set(data) <= set(BatchCompletion.model_fields)


def test_the_request_of_the_readme_is_understood() -> None:
    record = Record(Position("t", 0, 0), None, code_blocks("json")[2].encode(), (), WRITTEN)

    found = request(record)

    assert (found.id, found.producer, found.refused) == ("req-881", "/backoffice", None)


def test_the_configuration_of_the_readme_is_read() -> None:
    assert parse_config(code_blocks("yaml")[0], {}).sources["orders"].id == "orders-v1"


@pytest.mark.parametrize(
    "command", [command.callback.__name__ for command in app.registered_commands if command.callback]
)
def test_every_command_stands_in_the_readme(command: str) -> None:
    assert re.search(rf"`(autoloader )?{command}\b", README)


def test_the_reference_of_the_commands_is_what_the_program_says() -> None:
    assert Path("docs/cli.md").read_text() == reference(), "write it anew by `make docs`"


def test_every_exit_code_has_a_meaning() -> None:
    made = [str(path) for path in Path("cli").rglob("*.py") if "typer.Exit(" in path.read_text()]

    assert MEANINGS.keys() == set(Exit)
    assert made == ["cli/exits.py"]


def test_every_setting_is_documented() -> None:
    read = {
        name
        for room in ROOMS
        for path in Path(room).rglob("*.py")
        for name in re.findall(r'"((?:AUTOLOADER|PREFECT|SPARK|KAFKA|DATABASE)_[A-Z_]+)"', path.read_text())
        if room != "dev" or name in {"AUTOLOADER_JARS", "AUTOLOADER_SPARK_MEMORY"}  # the rest is between its parts
    }

    assert read
    read -= {"SPARK_CONNECT_MODE_ENABLED", "SPARK_SUBMIT_OPTS"}  # Spark's words to itself
    read = {name for name in read if not name.startswith("PREFECT__")}  # Prefect's to a run
    assert {name for name in read if f"`{name}`" not in SETTINGS} == set()


def test_every_metric_is_documented() -> None:
    named = re.findall(r'"(autoloader_\w+)"', Path("router/adapters/metrics.py").read_text())
    documented = Path("docs/metrics.md").read_text()

    assert named
    assert [name for name in named if f"`{name}`" not in documented] == []


def test_every_file_the_architecture_names_is_there() -> None:
    named = re.findall(r"`((?:router|flows|schemas|tests|docs)/[\w/.]+)`", Path("ARCHITECTURE.md").read_text())

    assert named
    assert [path for path in named if not Path(path).exists()] == []


@pytest.mark.parametrize(
    "model",
    [
        *POOLS,
        Config,
        ConnectServers,
        HighMemory,
        SizeClass,
        TopicConfig,
        SourceConfig,
        From,
        Into,
        BatchLimits,
        LanePin,
    ],
)
def test_every_key_of_the_configuration_is_documented(model: type[BaseModel]) -> None:
    text = Path("docs/configuration.md").read_text()

    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if not re.search(rf"[`.{{ ]{key}[`:., }}]", text)] == []


def test_every_option_of_csv_is_documented_with_an_example_that_is_read() -> None:
    rows = re.findall(r"^\| (`.+?) \|.*\| `(\{.+\})` \|$", Path("docs/csv.md").read_text(), flags=re.MULTILINE)

    spellings = [re.findall(r"`(\w+)`", names) for names, _ in rows]
    examples = [Csv.model_validate(yaml.safe_load(example)) for _, example in rows]

    assert [names[0] for names in spellings] == [*Csv.model_fields]
    assert all(names[0] in example.model_fields_set for names, example in zip(spellings, examples, strict=True))
    for names, example in zip(spellings, examples, strict=True):
        assert all(Csv.model_validate({name: getattr(example, names[0])}) for name in names)


def test_every_event_and_topic_is_documented() -> None:
    text = Path("docs/events.md").read_text()
    types = [*KINDS, *MODELS, "autoloader.batch.<outcome>.v1", "autoloader.request.<outcome>.v1"]
    outcomes = [*get_args(BatchOutcome), *get_args(RequestOutcome)]

    named = [*types, *outcomes, ARRIVALS_TOPIC, REQUESTS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC]
    assert [name for name in named if f"`{name}`" not in text and f"`{name}`:" not in text] == []
    assert [name for name in PUBLISHED if f"(schemas/{name}.json)" not in text] == []

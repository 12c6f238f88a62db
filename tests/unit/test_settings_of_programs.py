"""Each program reads the settings that docs/settings.md says it reads, and asks for no others."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import environment
from cli.main import app
from schemas import connections

NOWHERE = "127.0.0.1:9"
CONFIG = """
version: 1
allow: ["file:///"]
sources: {{one: {{id: one-v1, from: {{path: "file://{folder}/"}}, format: csv, into: {{table: l.a.one}}}}}}
"""
COMMANDS = {
    "router": [],
    "worker": ["default"],
    "migrate": [],
    "deploy": [],
    "land": ["one-v1", "a.csv"],
    "request": ["one", "s3://b/a.csv", "--wait", "0"],
    "preview": ["one", "s3://b/a.csv", "--wait", "0"],
    "retry": ["b-1", "--wait", "0"],
    "cancel": ["b-1", "--wait", "0"],
    "pause": ["one"],
    "resume": ["one"],
    "status": [],
    "cost": [],
    "explain": ["s3://b/a.csv"],
    "doctor": [],
}
READ_LATER = {
    "explain": {  # of a file that has a run
        "PREFECT_API_URL",
        "PREFECT_API_KEY",
        "PREFECT_API_AUTH_STRING",
        "PREFECT_API_SSL_CERT_FILE",
        "PREFECT_UI_URL",
    },
    "worker": {
        "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES",  # of a Kubernetes pool
        "PREFECT_WORKER_QUERY_SECONDS",
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED",
        "DATABASE_URL",
        "SPARK_CONNECT_URL",
    },
}


class Recorded(dict[str, str]):
    """An environment that remembers what was asked of it."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override] # as the commands call it
        self.asked.add(name)
        return super().get(name, default)


def documented(program: str) -> set[str]:
    """The variables whose row in docs/settings.md names the program: a command, or `runs`."""
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", Path("docs/settings.md").read_text(), flags=re.MULTILINE)
    return {
        name
        for names, readers in rows
        if program in re.findall(r"\w+", readers)
        for name in re.findall(r"`([A-Z_]+)`", names)
    }


def environ(folder: Path) -> dict[str, str]:
    """All settings, of parts that are away."""
    (folder / "autoloader.yaml").write_text(CONFIG.format(folder=folder))
    (folder / "a.csv").write_text("a\n1\n")
    return {
        "AUTOLOADER_CONFIG": str(folder / "autoloader.yaml"),
        "DATABASE_URL": f"postgresql://us@{NOWHERE}/ledger",
        "KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
        "PREFECT_API_URL": f"http://{NOWHERE}/api",
        "AUTOLOADER_WEBHOOK_SECRET": "s3cret",
        "SPARK_CONNECT_URL": f"sc://{NOWHERE}",
    }


def ran(command: str, settings: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    async def sent(*_: object) -> None:
        """As if Kafka or the router's life had been there."""

    for effect in ("cli.commands.land.send", "cli.asking.send", "router.app.run"):
        monkeypatch.setattr(effect, sent)
    monkeypatch.setattr("router.adapters.logs.configure", lambda: None)
    monkeypatch.setattr("os.execve", lambda *_: None)
    monkeypatch.setattr(environment, "environment", lambda: settings)
    monkeypatch.chdir(folder)
    return CliRunner().invoke(app, [command, *COMMANDS[command]])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reads_the_settings_that_are_documented_for_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = documented(command) - {"AUTOLOADER_HOME"}
    settings = Recorded(environ(tmp_path))

    ran(command, settings, tmp_path, monkeypatch)

    asked = {name for name in settings.asked if not name.startswith("AWS_")}  # documented by their beginning
    assert asked - {"JAVA_HOME"} | READ_LATER.get(command, set()) == wanted


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_needs_no_setting_of_another_program(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = documented(command)
    settings = Recorded({name: value for name, value in environ(tmp_path).items() if name in wanted})

    said = ran(command, settings, tmp_path, monkeypatch).output

    assert "is not set" not in said


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (command, name)
        for command in COMMANDS
        for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "AUTOLOADER_WEBHOOK_SECRET")
        if name in documented(command) - READ_LATER.get(command, set())
    ],
)
def test_a_command_names_a_setting_that_is_missing_and_what_to_write(
    command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Recorded({other: value for other, value in environ(tmp_path).items() if other != name})

    said = ran(command, settings, tmp_path, monkeypatch).output

    assert f"{name} is not set; set it to" in said


def test_a_run_reads_the_settings_that_are_documented_for_runs(tmp_path: Path) -> None:
    texts = [path.read_text() for path in (Path("flows/ingest.py"), *Path("flows/loading").rglob("*.py"))]
    read = {
        name for text in texts for name in re.findall(r'"((?:AUTOLOADER|DATABASE|KAFKA|PREFECT|SPARK)_[A-Z_]+)"', text)
    }

    settings = Recorded(environ(tmp_path))
    for reader in {
        name
        for text in texts
        for name in re.findall(r"\b(?:postgres_connection|s3_connection|spark_connect_url)\b", text)
    }:
        getattr(connections, reader)(settings)

    read |= {name for name in settings.asked if not name.startswith("AWS_")}
    read -= {"SPARK_CONNECT_MODE_ENABLED", "SPARK_SUBMIT_OPTS"}  # Spark's words to itself
    assert "DATABASE_URL" in read
    assert read <= documented("runs")

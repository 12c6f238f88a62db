"""`autoloader migrate` and `deploy` say on one line what is away, and touch only what they are told to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "dev" / "autoloader.yaml"
NOWHERE = "127.0.0.1:9"
DATABASE = {"DATABASE_URL": f"postgresql://us@{NOWHERE}/ledger"}
PREFECT = {"PREFECT_API_URL": f"http://{NOWHERE}/api", "AUTOLOADER_WEBHOOK_SECRET": "x"}


@pytest.mark.parametrize(
    ("command", "settings", "said"),
    [
        (["migrate"], DATABASE, "autoloader migrate: PostgreSQL: "),
        (["deploy"], DATABASE | PREFECT, "autoloader deploy: PostgreSQL: "),
        (["deploy", "--no-migrate"], PREFECT, "autoloader deploy: Prefect: "),
    ],
    ids=["migrate", "deploy", "deploy --no-migrate"],
)
def test_a_part_that_is_away_is_one_line(
    command: list[str], settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    ours = {"AUTOLOADER_CONFIG": str(CONFIG), "AUTOLOADER_HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path)}
    inherited = {name: value for name, value in os.environ.items() if name not in DATABASE}

    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *command],
        env={**inherited, **ours, **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr

"""`autoloader deploy` says on one line what is away."""

import os
import subprocess
import sys
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "dev" / "autoloader.yaml"
NOWHERE = "127.0.0.1:9"


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": f"postgresql://us@{NOWHERE}/ledger",
        "PREFECT_API_URL": f"http://{NOWHERE}/api",
        "KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
        "AUTOLOADER_WEBHOOK_SECRET": "x",
        "AUTOLOADER_CONFIG": str(CONFIG),
        "AUTOLOADER_HOME": str(tmp_path),
    }

    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "deploy"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("autoloader deploy: PostgreSQL: ")
    assert "Traceback" not in done.stderr

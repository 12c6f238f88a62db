"""Programs that Go builds once for the tests, where there is a Go."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

TOOLS = Path(__file__).resolve().parents[2] / ".autoloader" / "tools"
HAS_GO = pytest.mark.skipif(not shutil.which("go"), reason="Go builds what this needs")


def sources(module: str) -> Path:
    """Where Go keeps the sources of a module `path@version`, which are fetched if they are not there yet."""
    done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True, text=True, check=True)
    return Path(json.loads(done.stdout)["Dir"])


def installed(module: str, name: str, folder: Path = TOOLS) -> Path:
    """The program `name` of a module `path@version`, built whole into the folder if it is not there yet."""
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as draft:
            subprocess.run(["go", "install", module], env={**os.environ, "GOBIN": draft}, check=True)
            Path(draft, name).rename(folder / name)
    return folder / name

"""Where a command finds the parts: the environment, else the running local stack. And who runs the command."""

import json
import os
from collections.abc import Mapping
from getpass import getuser
from pathlib import Path

from schemas.config import Config, load_config

PROJECT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """The data folder of the local stack: AUTOLOADER_HOME, else `.autoloader` here."""
    return Path(os.environ.get("AUTOLOADER_HOME", ".autoloader")).resolve()


def environment() -> Mapping[str, str]:
    """The environment, completed by what the local stack wrote when it came up."""
    written = home() / "settings.json"
    stack: dict[str, str] = json.loads(written.read_text()) if written.exists() else {}
    return {**stack, **os.environ}


def config_path(environ: Mapping[str, str]) -> Path:
    """AUTOLOADER_CONFIG, else `autoloader.yaml` here, else the demo's."""
    here = Path("autoloader.yaml")
    return Path(environ.get("AUTOLOADER_CONFIG") or (here if here.exists() else PROJECT / "dev" / "autoloader.yaml"))


def config(environ: Mapping[str, str]) -> Config:
    """Load and check the configuration file."""
    return load_config(config_path(environ), environ)


def user() -> str:
    """Who sits at this terminal."""
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"

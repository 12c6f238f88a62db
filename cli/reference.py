"""Write docs/cli.md, by `make docs`: the exit codes, and what every command takes, from the program itself."""

import html
import subprocess
import sys

from cli.exits import MEANINGS, Exit

HEAD = """# The command `autoloader`

Made from the program by `make docs`; a test fails when it is old.

## Exit codes

| code | meaning |
|---|---|
"""
FIRST_COMMAND = "## `autoloader "  # before it stands a list of the commands, each cut off after some words


def reference() -> str:
    """The text of docs/cli.md."""
    codes = "".join(f"| {code.value} | {MEANINGS[code]} |\n" for code in Exit)
    written = subprocess.run(
        [sys.executable, "-m", "typer", "cli.main", "utils", "docs", "--name", "autoloader"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return f"{HEAD}{codes}\n{html.unescape(written[written.index(FIRST_COMMAND) :]).strip()}\n"


if __name__ == "__main__":
    print(reference(), end="")

"""The exit codes of the commands; docs/cli.md has them from here."""

from collections.abc import Mapping
from enum import IntEnum

import typer


class Exit(IntEnum):
    """How a command ended, for scripts."""

    DONE = 0
    TROUBLE = 1
    WRONG_USE = 2  # typer's own
    WAITING = 3
    NEEDS_A_PERSON = 4


MEANINGS: Mapping[Exit, str] = {
    Exit.DONE: "it is done; of `explain`: loaded",
    Exit.TROUBLE: "it is not done, one line says why: a part is away, a setting or the configuration is wrong; "
    "of `doctor` and `demo`: something is wrong",
    Exit.WRONG_USE: "it was written wrongly: an argument or option is missing or unknown",
    Exit.WAITING: "of `explain`: it goes on by itself; of `request`, `preview`, `retry` and `cancel`: no answer came "
    "within `--wait` seconds",
    Exit.NEEDS_A_PERSON: "it ended otherwise than asked, or goes on only when a person does something",
}


def ended(code: Exit) -> typer.Exit:
    """What a command raises to end with this code; nothing else makes a `typer.Exit`."""
    return typer.Exit(code)

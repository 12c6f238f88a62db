"""The local stack, as the commands start and stop it."""

import os

from cli import environment
from dev.stack import Stack


def local_stack() -> Stack:
    """The stack below the data folder, telling its progress on the terminal."""
    return Stack(environment.home(), environment.config_path(os.environ).resolve(), progress=print)


def checked_stack() -> Stack:
    """The local stack, after a look at its configuration: a fault is told before anything is downloaded or started."""
    environment.config({"AUTOLOADER_HOME": str(environment.home()), **os.environ})
    return local_stack()

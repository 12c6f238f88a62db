"""The environment of a process, as the job variables of a run ask for it: that of its worker, and what they change.

Prefect reads its settings once, when it is imported. So they are read again when one of them is another.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack

from prefect.context import SettingsContext, get_settings_context
from prefect.settings import Settings

OF_ONE_RUN = "PREFECT__"  # what Prefect tells a process of its run; no setting
SETTING = "PREFECT_"


class Surroundings:
    """The environment of this process, from that of the worker on."""

    def __init__(self) -> None:
        self._base = dict(os.environ)
        self._changes: Mapping[str, str] = {}
        self._settings = ExitStack()  # never closed: it lasts as long as the process

    def become(self, changes: Mapping[str, str]) -> None:
        """Make this the environment: the worker's with these changes, instead of those before.

        What a library has set for itself meanwhile stays.
        """
        before = _settings(os.environ)
        for name in self._changes.keys() - changes.keys():
            if name in self._base:
                os.environ[name] = self._base[name]
            else:
                os.environ.pop(name, None)
        os.environ.update(changes)
        self._changes = dict(changes)
        if _settings(os.environ) != before:
            profile = get_settings_context().profile
            self._settings.enter_context(SettingsContext(profile=profile, settings=Settings()))


def without_its_run(environ: Mapping[str, str]) -> Mapping[str, str]:
    """What another run with the same job variables would find."""
    return {name: value for name, value in environ.items() if not name.startswith(OF_ONE_RUN)}


def _settings(environ: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in without_its_run(environ).items() if name.startswith(SETTING)}

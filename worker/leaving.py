"""The end of a child. What waits to be sent is sent, and the pages that it shares with others are left alone.

Python takes everything apart when it ends, which writes into 130 MB of pages that were shared till then: 0.2 s of CPU,
for nothing. So a child ends as one of `multiprocessing` does, when all else that is done at an exit is done.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Exit:
    """What comes last when this program ends, if it is made before all that is to be done at its exit.

    It does nothing in a process that has not called `after`.
    """

    def __init__(self) -> None:
        self._code: int | None = None
        atexit.register(self._leave)

    def after(self, life: Callable[[], None]) -> None:
        """Live, and end with the code that Python would give, as soon as the caller lets the program end."""
        self._code = 1
        try:
            life()
        except SystemExit as leaving:
            self._code = _code(leaving)
        except BaseException:  # noqa: BLE001 - said and counted as Python does it
            traceback.print_exc()
        else:
            self._code = 0

    def _leave(self) -> None:
        if self._code is None:
            return
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self._code)


def _code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    print(leaving.code, file=sys.stderr)  # noqa: T201 - as Python does
    return 1

"""JSON lines: one object a line."""

from typing import ClassVar

from schemas.base import Strict


class Json(Strict):
    """JSON lines: one object a line."""

    expansion: ClassVar[int] = 1
    packs_itself: ClassVar[bool] = False

"""CSV: a header line in every file, values that a delimiter parts."""

from typing import ClassVar, Literal

from pydantic import Field

from schemas.base import Strict


class Csv(Strict):
    """CSV with a header line in every file."""

    expansion: ClassVar[int] = 1
    packs_itself: ClassVar[bool] = False

    header: Literal[True] = True
    delimiter: str = Field(",", pattern=r'^([^"\r\n\\]{1,2}|\\t)$')
    null_value: str = ""

"""Apache Parquet: columns that are packed within the file."""

from typing import ClassVar

from schemas.base import Strict


class Parquet(Strict):
    """Apache Parquet."""

    expansion: ClassVar[int] = 4
    packs_itself: ClassVar[bool] = True

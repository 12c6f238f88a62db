"""Worker processes."""

from typing import Literal

from schemas.base import Strict
from schemas.config.sizes import JobVariables, SizeClass


class ProcessPool(Strict):
    """Runs are processes beside their worker, as big as what it leaves them."""

    type: Literal["process"] = "process"

    def job_variables(self, size: SizeClass) -> JobVariables:
        """Say nothing."""
        return {}

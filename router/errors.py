"""The two kinds of expected trouble. Anything else is a bug and ends the process.

Exception
├── Transient   the world is away for now: the same call may succeed later
│   └── Refused it is there and would not have this one item: others may succeed now
└── Rejected    the input is wrong: it goes to the dead letters with this reason
"""

from typing import Literal

Reason = Literal[
    "null-value",
    "unreadable",
    "too-large",
    "not-json",
    "schema-registry-framing",
    "unknown-format",
    "unsupported-version",
    "unsupported-type",
    "missing-field",
    "bad-field",
    "bad-uri",
    "not-allowed",
    "no-source",
    "missing-object",
    "bad-request",
    "request-id-taken",
    "unknown-source",
    "unknown-target",
    "producer-not-allowed",
]


class Transient(Exception):
    """A part we depend on did not answer, or not as it should: which one, and what it said."""


class Refused(Transient):
    """A part answered that it does not do this for this item: which, and what it said. Later it may."""


class Rejected(Exception):
    """An input that cannot be used: `reason` names the kind, `detail` says what, where and what to do."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail

"""The machine's clock, and ids with chance in them."""

import secrets
from datetime import UTC, datetime

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32


class SystemClock:
    """See `ports.clock.Clock`."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def new_batch_id(self) -> str:
        """`b-`, 9 letters of time in milliseconds, 7 of chance: sorts by time, and holds 35 bits nobody can guess."""
        return f"b-{_base32(int(self.now().timestamp() * 1000), 9)}{_base32(secrets.randbits(35), 7)}"


def _base32(number: int, letters: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(letters)))

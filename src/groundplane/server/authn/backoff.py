"""Who failed to log in waits, longer each time: by name and by source, in bounded memory.

An attempt is charged before the password is looked at and refunded when it is right, so that a hundred attempts at the
same moment do not all get through. A right password clears its name and gives its source back only its own charge:
somebody with an account cannot wipe the slate of guesses at other names.

Nobody is locked out for good: the wait has an end, and grows no further.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """So many attempts are free; then each failure doubles the wait, from `first` to at most `longest` seconds."""

    free: int
    first: float
    longest: float


NAME = Patience(free=5, first=1.0, longest=300.0)
SOURCE = Patience(free=20, first=1.0, longest=900.0)


@dataclass(slots=True)
class _Count:
    failures: int = 0
    until: float = 0.0


class Backoff:
    """The waits of one kind of key. A key that was quiet for twice the longest wait is forgotten."""

    def __init__(self, patience: Patience, *, most: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._most = most
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def wait(self, key: str) -> float:
        """Return the seconds that are left to wait, 0 when an attempt may be made."""
        count = self._counts.get(key)
        if count is None:
            return 0.0
        left = count.until - self._clock()
        if left < -2 * self._patience.longest:
            del self._counts[key]
        return max(0.0, left)

    def charge(self, key: str) -> None:
        """Count an attempt as failed."""
        count = self._counts.setdefault(key, _Count())
        self._counts.move_to_end(key)
        count.failures += 1
        self.failed(key)
        while len(self._counts) > self._most:
            self._counts.popitem(last=False)

    def failed(self, key: str) -> None:
        """Begin the wait now: the attempt that was charged has failed, and checking it took its time."""
        count = self._counts.get(key)
        if count is None:
            return
        over = count.failures - self._patience.free
        # Not counted beyond what the wait can grow to: two to the power of a million takes a while.
        delay = self._patience.first * 2 ** min(over, 30) / 2 if over > 0 else 0.0
        count.until = self._clock() + min(delay, self._patience.longest)

    def refund(self, key: str) -> None:
        """Take one charge back."""
        count = self._counts.get(key)
        if count is not None:
            count.failures -= 1
            count.until = 0.0
            if count.failures <= 0:
                del self._counts[key]

    def clear(self, key: str) -> None:
        """Forget the key."""
        self._counts.pop(key, None)


def source_of(address: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 that one IPv6 customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))

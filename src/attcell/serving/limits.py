"""What a server takes from strangers: how much, for how long, and how many at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from attcell.errors import CallError


@dataclass(frozen=True)
class Limits:
    """What one request may cost.

    Attributes:
        megabytes: of an uploaded video, in millions of bytes.
        seconds: of work on one video, from the moment at which it is begun.
        upload_seconds: until the last byte of an upload has come.
        waiting: requests that are received or wait beside the one that is worked on.
    """

    megabytes: float = 200
    seconds: float = 120
    upload_seconds: float = 60
    waiting: int = 16

    def __post_init__(self) -> None:
        for name in ("megabytes", "seconds", "upload_seconds"):
            if not 0 < getattr(self, name) < 1e6:
                raise CallError(f"{name} is {getattr(self, name)}; give a number above 0 and below 1000000")
        if not 0 <= self.waiting <= 10_000:
            raise CallError(f"waiting is {self.waiting}; give a whole number from 0 to 10000")

    @property
    def bytes(self) -> int:
        """The most bytes of an uploaded video."""
        return int(self.megabytes * 1e6)


class Refused(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP, from 400 on.
        reason: one sentence or two, as a user reads them.
        headers: of the answer.
    """

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})

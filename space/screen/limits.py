"""What a Space gives to its visitors at most; each limit is a setting."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields

from marrow import MarrowError


@dataclass(frozen=True)
class Limits:
    """The limits of a Space; the variable ``MARROW_MAX_MEGAPIXELS`` sets the first, and so on.

    Attributes:
        megapixels: of an image, and of all images that are kept decoded.
        at_once: requests that are worked on beside each other: the processors of the hosted Space.
        waiting: requests that may wait for these; who comes later is asked to try again.
        per_visitor: requests of one address that may wait or be worked on.
        upload_megabytes: that all uploads take on the disk; the one used longest ago is deleted first.
        uploads: analyzed images that are remembered; the one used longest ago goes first.
        flags: flags that are kept on the disk.
        connections: open connections; a further one is closed.
        silence: seconds for which a client may leave its request unfinished.
    """

    megapixels: int = 100
    at_once: int = 2
    waiting: int = 20
    per_visitor: int = 10
    upload_megabytes: int = 5000
    uploads: int = 500
    flags: int = 5000
    connections: int = 250
    silence: int = 20

    @classmethod
    def from_environment(cls) -> Limits:
        """Read the limits that are set.

        Raises:
            MarrowError: one is not a whole number from 1 on.
        """
        names = {field.name: f"MARROW_MAX_{field.name.upper()}" for field in fields(cls)}
        values = {name: os.environ[variable] for name, variable in names.items() if os.environ.get(variable)}
        for name, value in values.items():
            if not value.isdecimal() or int(value) < 1:
                raise MarrowError(f"{names[name]}={value} is no limit: set it to a whole number from 1 on.")
        return cls(**{name: int(value) for name, value in values.items()})

"""Times as our files spell them, `YYYY-MM-DDTHH:MM:SSZ`, UTC, whole seconds; and how far two clocks may be apart."""

import re
from datetime import UTC, datetime, timedelta
from typing import Self

from platformctl.errors import InvalidInput
from platformctl.model.names import Checked

HOST_SKEW = timedelta(minutes=5)
"""How far a host's clock may be from ours: nothing is judged by it, but receipts of both are compared."""
SIGNER_SKEW = timedelta(minutes=1)
"""How far ahead of ours a time in a plan or an approval may be: until when it may run is judged by our clock."""
OBSERVER_SKEW = timedelta(minutes=5)
"""How far ahead of ours the time of an observation may be: apply looks at the host again, whatever a plan rests on."""
_FORM = "%Y-%m-%dT%H:%M:%SZ"


class Moment(Checked):
    """A time in its one spelling, on a day that exists."""

    __slots__ = ()
    pattern = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
    meaning = "a time (YYYY-MM-DDTHH:MM:SSZ)"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Return `text` as a time; raises `InvalidInput` when it is none."""
        moment = super().parse(text)
        try:
            datetime.strptime(moment, _FORM)  # noqa: DTZ007 - only asked whether such a day exists
        except ValueError:
            raise InvalidInput(f"not {cls.meaning}", detail=f"expected {cls.meaning} that exists") from None
        return moment

    @classmethod
    def of(cls, at: datetime) -> Self:
        """Return the spelling of `at`, which must know its zone."""
        return cls(f"{at.astimezone(UTC):{_FORM}}")

    @property
    def at(self) -> datetime:
        """The time itself."""
        return datetime.strptime(self, _FORM).replace(tzinfo=UTC)

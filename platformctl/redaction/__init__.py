"""One sink for everything that is written: make it harmless to show, then take the secrets out.

`sanitise` makes a text safe to display: nothing in it moves a cursor, hides text or commands a CI runner.  A `Redactor`
does that and replaces every secret it knows or recognises by `[redacted]`; its stream does so for output that arrives
in pieces.  Who calls the sink, and with which known secrets, is left to the callers.

Recognising unknown secrets works by published token formats and by key names, never by entropy alone, so git SHAs,
image digests, UUIDs, container ids and host names survive.
"""

from platformctl.redaction.redactor import RedactedStream, Redactor
from platformctl.redaction.sanitising import sanitise
from platformctl.redaction.spans import REDACTED

__all__ = ["REDACTED", "RedactedStream", "Redactor", "sanitise"]

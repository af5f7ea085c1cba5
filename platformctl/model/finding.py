"""What validation or policy has to say, with file and line."""

from platformctl.model.frozen import dataclass

LINKED_MOUNT = "linked-mount"
"""The rule about mounts that are links on the host: they lead to something that was not judged."""
SHARED_VOLUME = "shared-volume"
"""The rule about volumes that may be another project's; a waiver lets one lead to the host's own files."""


@dataclass(frozen=True)
class Finding:
    """Something a reviewer must know: `deny` refuses, `warn` does not, `error` is input that does not fit."""

    module: str
    rule: str
    severity: str
    file: str
    line: int | None
    field: str
    message: str
    hint: str
    waiver: str | None = None

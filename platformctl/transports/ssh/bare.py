"""paramiko without `invoke`, which it imports for `Match exec` in an ssh_config: that is never read here.

It costs as much to import as all the rest, and paramiko does without where it is not installed. To be
imported before anything else that imports paramiko.
"""

import sys

_there = "invoke" in sys.modules
if not _there:
    sys.modules["invoke"] = None  # type: ignore[assignment]  # the documented way to have an import fail
try:
    import paramiko  # noqa: F401
finally:
    if not _there:
        del sys.modules["invoke"]

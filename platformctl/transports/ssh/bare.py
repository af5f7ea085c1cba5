"""Import paramiko without modules that it imports but that are not needed here.

This must be imported before anything else of paramiko. `invoke` serves `Match exec` in an ssh_config, which is never
read, and costs as much to import as all the rest; paramiko does without if it is not installed. `importlib.metadata`
serves to tell a server paramiko's version, and takes a third of what is left: the name of the folder that pip made has
the version in it.
"""

import importlib
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_METADATA = "importlib.metadata"


class _Versions(ModuleType):
    """Reads a version from a folder's name. Whatever else another thread wants, the real module provides."""

    def version(self, package: str) -> str:
        """Return the version of an installed package."""
        found = find_spec(package)
        beside = Path(found.origin).parents[1] if found and found.origin else Path()
        names = [path.stem for path in beside.glob(f"{package}-*.dist-info")]
        return names[0].removeprefix(f"{package}-") if len(names) == 1 else str(self.__getattr__("version")(package))

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(_METADATA) is self:
            sys.modules.pop(_METADATA, None)
        return getattr(import_module(_METADATA), name)


_instead = {"invoke": None, _METADATA: _Versions(_METADATA)}
"""What is imported in place of these modules. None is the documented way to make an import fail."""
_lent = {name: module for name, module in _instead.items() if name not in sys.modules}
sys.modules.update(_lent)  # type: ignore[arg-type]
if _METADATA in _lent:
    vars(importlib)["metadata"] = _lent[_METADATA]
try:
    import paramiko  # noqa: F401
finally:
    for name, module in _lent.items():
        if sys.modules.get(name, ...) is module:
            sys.modules.pop(name, None)
    if _METADATA in _lent and vars(importlib).get("metadata") is _lent[_METADATA]:
        vars(importlib).pop("metadata", None)

"""`.platform/state/modules/<id>.status.json`: what this clone knows of each module without asking a host.

One line of JSON whose first field is the digest of the rest. Any JSON tool can read it, but an edit makes it unreadable
to us, and what is unreadable, or newer than this tool, is refused and never overwritten.
"""

import hashlib
from pathlib import Path

from platformctl.errors import ToolError
from platformctl.model import strict_json
from platformctl.model.codec import decode, encode
from platformctl.model.names import ModuleId
from platformctl.model.state import ModuleStatus
from platformctl.store import files

FORMAT = "platformctl/state"
FORMAT_VERSION = "1.0"
_FOLDER = Path("state", "modules")
_SUFFIX = ".status.json"
_START, _CLOSE = b'{"checksum":"sha256:', b'",'
_HEXADECIMAL = slice(len(_START), len(_START) + 64)
_REST = _HEXADECIMAL.stop + len(_CLOSE)
_HINT = "move the file away after looking at it; `platformctl recover` reads the truth from the host again"


class StateStore:
    """The states of one clone's modules; `folder` is its `.platform`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, module: ModuleId) -> Path:
        """Return where the state of `module` is or would be."""
        return self._folder / _FOLDER / (module + _SUFFIX)

    def read(self, module: ModuleId) -> ModuleStatus | None:
        """Return what is known of `module`, None before its first apply; raise `ToolError` if it can not be read."""
        path = self.path(module)
        content = files.read(path, within=self._folder)
        return None if content is None else _parse(content, path)

    def all(self) -> tuple[ModuleStatus, ...]:
        """Return what is known of every module, by id; raises `ToolError` when one of them can not be read."""
        folder = self._folder / _FOLDER
        found = files.read_folder(folder, _SUFFIX, within=self._folder)
        return tuple(_parse(content, folder / name) for name, content in found.items())

    def write(self, status: ModuleStatus) -> Path:
        """Remember `status`, and return where it stands.

        Raises `ToolError` when what is there can not be read, is newer, or is another state of the same serial.
        """
        path, present = self.path(status.module), self.read(status.module)
        if present and present.serial >= status.serial and present != status:
            raise ToolError(
                "a newer state is already there",
                detail=f"{path}: its serial is {present.serial}, the one to write is {status.serial}",
                hint="another apply of this module ended meanwhile; plan again",
                file=str(path),
            )
        files.write_atomically(path, _text(status), within=self._folder)
        return path


def _text(status: ModuleStatus) -> bytes:
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, **encode(status)}
    rest = strict_json.dump(content).removeprefix(b"{")
    return _START + _checksum(rest) + _CLOSE + rest + b"\n"


def _checksum(rest: bytes) -> bytes:
    return hashlib.sha256(rest).hexdigest().encode()


def _parse(content: bytes, path: Path) -> ModuleStatus:
    rest = content[_REST:].removesuffix(b"\n")
    if not content.endswith(b"\n") or content[:_REST] != _START + _checksum(rest) + _CLOSE:
        raise _unreadable(path, "it is cut off or was edited")
    data = strict_json.load(b"{" + rest, str(path), refusal=ToolError)
    if data.pop("format", None) != FORMAT or data.pop("format_version", None) != FORMAT_VERSION:
        raise _unreadable(path, "another version of this tool wrote it")
    return _checked(decode(ModuleStatus, data, str(path), refusal=ToolError), path)


def _checked(status: ModuleStatus, path: Path) -> ModuleStatus:
    if status.module + _SUFFIX != path.name:
        raise _unreadable(path, f"it is the state of module {status.module}")
    return status


def _unreadable(path: Path, why: str) -> ToolError:
    return ToolError("state can not be read", detail=f"{path}: {why}", hint=_HINT, file=str(path))

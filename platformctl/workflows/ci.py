"""Write the files of pipelines into a platform repository. A file that somebody edited is replaced only on request."""

import re
from pathlib import Path

from platformctl.errors import Usage
from platformctl.model.frozen import dataclass
from platformctl.model.reports import NoteReport
from platformctl.pipelines.files import Pipeline, files, is_as_written
from platformctl.store.files import read, write_atomically


@dataclass(frozen=True)
class CiRequest:
    """Where to write which pipelines, and whether files that somebody edited are replaced too."""

    root: Path
    pipelines: tuple[Pipeline, ...]
    overwrite: bool = False


def ci_init(request: CiRequest) -> NoteReport:
    """Write files that are missing or out of date; running it again changes nothing.

    Raises `Usage` for a branch, requirement or file name that can not be put into a workflow file.
    """
    done: dict[str, str] = {}
    for pipeline in request.pipelines:
        _require_plain(pipeline)
        for path, text in files(pipeline).items():
            done[path] = _put(request.root / path, text, request)
    kept = sum(word == _KEPT for word in done.values())
    hint = f"; {kept} edited and kept, --overwrite replaces them" if kept else ""
    return NoteReport(message=f"✓ {len(done)} files looked after{hint}", details=done)


_KEPT = "kept: edited by hand"


def _put(path: Path, text: str, request: CiRequest) -> str:
    there = read(path, within=request.root)
    if there == text.encode():
        return "unchanged"
    edited = there is not None and not is_as_written(there.decode("utf-8", "replace"))
    if edited and not request.overwrite:
        return _KEPT
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode(), 0o644, within=request.root)
    return "written" if there is None else "overwritten: edited by hand" if edited else "brought up to date"


def _require_plain(pipeline: Pipeline) -> None:
    """Raise `Usage` for text that YAML, a workflow expression or a shell would not take literally."""
    for name, text, pattern in (
        ("branch", pipeline.branch, _PATH),
        ("requirement", pipeline.install, _REQUIREMENT),
        ("file", pipeline.requirements or "none", _PATH),
    ):
        if not pattern.match(text):
            raise Usage(f"the {name} can not be put into a workflow file", detail=text[:100], hint="use plain signs")


_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*\Z")
_REQUIREMENT = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9._/+=@:\[\]-]*\Z")

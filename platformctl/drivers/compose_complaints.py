"""Report why Compose rejects a compose file, in Compose's own words, with the file and line that people wrote.

Compose read a copy, so the path of the copy is replaced. Words that may repeat a value of the host's env file are not
shown.
"""

import re

from platformctl.errors import InvalidInput, Refusal
from platformctl.model.desired import Release

_ITS_PATH = re.compile(r"\S*/in/[0-9]+/compose\.yaml")
_BROUGHT = re.compile(r"\S*/in/[0-9]+/brought/([^\s:]+)")
_NUMBERED = re.compile(r"\bline ([0-9]{1,6})\b")
_NAMED = re.compile(r"\b(?:services|networks|volumes|configs|secrets)[.\[][\w.\[\]-]+")


def not_accepted(release: Release, complaint: str) -> Refusal:
    """Return the refusal of a release whose compose file Compose rejects; `complaint` is what it wrote to stderr."""
    compose_file = release.module.runtime.compose_file
    words = _own_words(complaint, compose_file)
    return InvalidInput(
        "Compose does not accept the file",
        detail=_complaint(words, release),
        hint=f"docker compose -f {compose_file} config -q",
        file=compose_file,
        line=_line(words, release),
        host=release.host.name,
    )


def not_read(release: Release, complaint: str) -> Refusal:
    """The refusal of a release whose env files Compose does not take, or what is said of them.

    Compose's own words may repeat what is in such a file. Up to 2.26 they do not name it, only the line.
    """
    services = (release.compose.services[name] for name in release.closure)
    read = {path for service in services for path in service.env_files}
    brought = sorted(file.path for file in release.files if file.path in read)
    named, numbered = _BROUGHT.search(complaint), _NUMBERED.search(complaint)
    path = next((each for each in brought if len(brought) == 1 or (named and named[1] == each)), None)
    compose_file = release.module.runtime.compose_file
    return InvalidInput(
        "Compose does not accept an env file",
        detail=f"{', '.join(brought)}: what Compose says may repeat a value; run the command below to see it",
        hint=f"docker compose -f {compose_file} config -q",
        file=path or compose_file,
        line=int(numbered[1]) if path and numbered else None,
        host=release.host.name,
    )


def _own_words(complaint: str, compose_file: str) -> str:
    """Return the complaint on one line, without log lines, with the path in the repository, at most 2000 characters."""
    lines = (line.strip() for line in complaint.splitlines())
    told = " ".join(line for line in lines if line and not line.startswith("time="))
    return _ITS_PATH.sub(compose_file, told)[:2000]


def _line(words: str, release: Release) -> int | None:
    """Return the line that Compose names, or the line of the field it names: `services.web`, `services[web].ports`.

    None where it names neither.
    """
    numbered = _NUMBERED.search(words)
    if numbered is not None:
        return int(numbered[1])
    named = _NAMED.search(words)
    return release.compose.line_of(named[0].replace("[", ".").replace("]", "").rstrip(".")) if named else None


def _complaint(words: str, release: Release) -> str:
    """Return Compose's own words, or a substitute where it read the host's env file, whose values they may repeat."""
    if release.module.env.file is None:
        return words
    return f"what it says may repeat a value of {release.module.env.file}; run the command below on the host to see it"

"""The files of a pipeline as text: one set of templates, filled in for one forge.

The first line says that `platformctl ci init` wrote the file and has the digest of the rest, so that a later run can
tell a file that somebody edited from one that is only out of date.
"""

import hashlib
import re
from collections.abc import Mapping
from importlib import resources

from platformctl.model.forge import ForgeKind
from platformctl.model.frozen import dataclass

_WORKFLOWS = ("workflows/plan.yml", "workflows/apply.yml", "workflows/drift.yml")
_ACTIONS = ("actions/platformctl/action.yml", "actions/publish/action.yml")
_FIRST = re.compile(r"# platformctl ci init: sha256 ([0-9a-f]{64})\n")
_FOLDERS = {ForgeKind.FORGEJO: ".forgejo", ForgeKind.GITEA: ".gitea", ForgeKind.GITHUB: ".github"}
_RUNNERS = {ForgeKind.FORGEJO: "docker", ForgeKind.GITEA: "ubuntu-latest", ForgeKind.GITHUB: "ubuntu-latest"}
_GITHUBS = {
    "CHECKOUT": "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2",
    "UPLOAD": "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
}
_OTHERS = {
    "CHECKOUT": "https://data.forgejo.org/actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2",
    # v4 speaks to GitHub's own store alone.
    "UPLOAD": "https://data.forgejo.org/actions/upload-artifact@a8a3f3ad30e3422c9c7b888a15615d19a852ae32 # v3.1.3",
}


@dataclass(frozen=True)
class Pipeline:
    """For which forge, which trusted branch, and what pip installs there: a requirement, and a file of hashes if any.

    `actions` is the folder of the actions; None for the one beside the workflows.
    """

    kind: ForgeKind
    branch: str
    install: str
    requirements: str = ""
    actions: str | None = None

    @property
    def folder(self) -> str:
        """The folder in which the forge looks for workflows."""
        return _FOLDERS[self.kind]


def files(pipeline: Pipeline) -> Mapping[str, str]:
    """Return each file's text by its path in the repository."""
    actions = pipeline.actions or f"{pipeline.folder}/actions"
    paths = {name: f"{pipeline.folder}/{name}" for name in _WORKFLOWS}
    paths |= {name: f"{actions}/{name.removeprefix('actions/')}" for name in _ACTIONS}
    words = {
        **(_GITHUBS if pipeline.kind is ForgeKind.GITHUB else _OTHERS),
        "ACTIONS": f"./{actions}",
        "BRANCH": pipeline.branch,
        "FORGE": pipeline.kind.value,
        "FROM": pipeline.install,
        "REQUIREMENTS": pipeline.requirements,
        "RUNNER": _RUNNERS[pipeline.kind],
        "TOKEN": f"{pipeline.kind.name}_TOKEN",
    }
    return {path: _signed(_filled(_template(name), words)) for name, path in paths.items()}


def is_as_written(text: str) -> bool:
    """Return whether nobody changed the text since `ci init` wrote it, in whatever version."""
    first = _FIRST.match(text)
    return first is not None and first[1] == _digest(text[first.end() :])


def _template(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text("utf-8")


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], text)


def _signed(text: str) -> str:
    return f"# platformctl ci init: sha256 {_digest(text)}\n{text}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

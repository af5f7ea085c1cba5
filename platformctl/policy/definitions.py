"""The files on a host that tell Compose what to do, and that no container may write to."""

import re

from platformctl.model.names import RepoPath
from platformctl.policy.rules import Candidate

_HAS_SERVICES = re.compile(rb"^[\"']?services[\"']?[ \t]*:|\A\s*\{[^\x00]*?\"services\"\s*:", re.MULTILINE)


def definitions(candidate: Candidate) -> tuple[RepoPath, ...]:
    """Return the compose file, the host's env file, and every file of the release that looks like a compose file.

    A mounted folder brings all files that the repository has in it, among them perhaps compose files of other modules.
    """
    own = (candidate.compose.path, candidate.module.env.file)
    others = (file.path for file in candidate.release.files if _HAS_SERVICES.search(file.content))
    return tuple(path for path in (*own, *others) if path is not None)

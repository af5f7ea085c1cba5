"""What Compose is told by on a host: files that no container may write to."""

import re

from platformctl.model.names import RepoPath
from platformctl.policy.rules import Case

_HAS_SERVICES = re.compile(rb"^[\"']?services[\"']?[ \t]*:|\A\s*\{[^\x00]*?\"services\"\s*:", re.MULTILINE)


def definitions(case: Case) -> tuple[RepoPath, ...]:
    """Return the compose file, the host's env file, and what travels along and looks like a compose file.

    A folder that is mounted brings the files it has in the repository, other modules' compose files too.
    """
    own = (case.compose.path, case.module.env.file)
    others = (file.path for file in case.release.files if _HAS_SERVICES.search(file.content))
    return tuple(path for path in (*own, *others) if path is not None)

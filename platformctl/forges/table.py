"""Which class talks to which forge; a closed set, as what is trusted of each was read in its documentation."""

from typing import Any, assert_never

from platformctl.forges.gitea import GiteaForge
from platformctl.forges.github import GitHubForge
from platformctl.forges.interface import Forge
from platformctl.model.forge import ForgeAddress, ForgeKind
from platformctl.model.secret import Secret


def forge_for(address: ForgeAddress, token: Secret | None, **wire: Any) -> Forge:
    """Return the forge at `address`; nothing is asked yet. Raises `Usage` for a token that no header can carry."""
    match address.kind:
        case ForgeKind.FORGEJO | ForgeKind.GITEA:
            return GiteaForge(address, token, **wire)
        case ForgeKind.GITHUB:
            return GitHubForge(address, token, **wire)
        case _:
            assert_never(address.kind)

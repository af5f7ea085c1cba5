"""The index of `plan --all`: several plans, in the order in which they are to be applied, under one signature.

An entry repeats what a quorum depends on, so that the strictest quorum is known from the index alone; `rules` refuses
an entry that says something else than its plan.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from platformctl.errors import InvalidInput
from platformctl.model import codec, strict_json
from platformctl.model.frozen import dataclass
from platformctl.model.moment import Moment
from platformctl.model.names import Digest, GitSha, HostName, ModuleId
from platformctl.model.policy import ApprovalRule

FORMAT = "platformctl/index"
FORMAT_VERSION = "1.0"


@dataclass(frozen=True)
class IndexEntry:
    """One plan: the digest of its payload, and where its envelope lies beside the index."""

    module: ModuleId
    host: HostName
    destructive: bool
    digest: Digest
    path: str


@dataclass(frozen=True)
class Index:
    """The plans of one run at one commit; later ones are built on the foreseen result of earlier ones."""

    source_sha: GitSha
    created_at: str
    plans: tuple[IndexEntry, ...]

    def entry(self, digest: Digest) -> IndexEntry | None:
        """Return the entry of that plan, or None when the index does not list it."""
        return next((entry for entry in self.plans if entry.digest == digest), None)

    def people_for(self, rule: ApprovalRule) -> int:
        """Return how many people must approve the index: as many as its most demanding plan needs."""
        return max((rule.people_for(each.host, destructive=each.destructive) for each in self.plans), default=0)


@dataclass(frozen=True)
class _Document:
    format: str
    format_version: str
    source_sha: GitSha
    created_at: Moment
    plans: tuple[IndexEntry, ...]


def encode_index(index: Index) -> bytes:
    """Return the payload for `index`."""
    document = _Document(FORMAT, FORMAT_VERSION, index.source_sha, Moment.parse(index.created_at), index.plans)
    return strict_json.dump(codec.encode(document))


@lru_cache(maxsize=1)
def decode_index(payload: bytes) -> Index:
    """Return the index in `payload`; raise `InvalidInput`, also when a plan or a module stands in it twice.

    The last index is remembered, as each of its plans asks for it.
    """
    document = codec.decode(
        _Document, _of_known_format(strict_json.load(payload, "index")), "index", ignore_unknown=True
    )
    for what in ("module", "digest"):
        values = [getattr(entry, what) for entry in document.plans]
        if len(set(values)) != len(values):
            raise InvalidInput("an index names something twice", detail=f"index: plans: the same {what} twice")
    return Index(document.source_sha, document.created_at, document.plans)


def _of_known_format(data: Any) -> Mapping[str, Any]:
    version = data.get("format_version") if isinstance(data, dict) and data.get("format") == FORMAT else None
    if not isinstance(version, str) or version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise InvalidInput("a document is not an index this tool reads", detail=f"index: format: expected {FORMAT} 1.x")
    return dict(data)

"""What a tree adds up to: modules and their releases, of one commit or a working tree."""

from platformctl.releases.reading import (
    input_paths,
    inputs_digest,
    manifest_path,
    module_ids,
    read_manifest,
    read_release,
)

__all__ = ["input_paths", "inputs_digest", "manifest_path", "module_ids", "read_manifest", "read_release"]

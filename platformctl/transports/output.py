"""How much is kept of a stream that somebody else fills."""

OUTPUT_LIMIT = 8 * 1024 * 1024
"""How many bytes are kept of each stream. A host may say more; memory here must not depend on that."""


class Kept:
    """The first `OUTPUT_LIMIT` bytes of a stream; `truncated` says whether there were more."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.truncated = False

    def add(self, chunk: bytes) -> None:
        """Keep as much of `chunk` as there is room for."""
        room = OUTPUT_LIMIT - len(self._bytes)
        self._bytes += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room

    @property
    def content(self) -> bytes:
        """What was kept, in the order in which it came."""
        return bytes(self._bytes)

"""What is kept of a stream that somebody else fills."""

OUTPUT_LIMIT = 8 * 1024 * 1024
"""Bytes kept of each stream. A host may say more; memory here must not depend on that."""


class Kept:
    """The head of a stream, `OUTPUT_LIMIT` bytes at most; the rest is counted as lost."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.truncated = False

    def add(self, chunk: bytes) -> None:
        """Keep what still fits of `chunk`."""
        room = OUTPUT_LIMIT - len(self._bytes)
        self._bytes += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room

    @property
    def content(self) -> bytes:
        """What was kept, in the order in which it came."""
        return bytes(self._bytes)

"""A strict reader for the DER that timestamps are made of (X.690 §8, §10): definite, shortest lengths."""

from __future__ import annotations

from typing import Final

from pratique.errors import MalformedError

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
CONTEXT_0: Final = 0xA0
_LONG: Final = 0x80
_MAX_LENGTH_BYTES: Final = 3


class Reader:
    """Reads the values inside one value, in their order; positions are kept, bytes are not copied twice."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = at
        self._end = len(data) if end is None else end

    @property
    def tag(self) -> int:
        """The tag of the next value, or -1 at the end."""
        return self._data[self._at] if self._at < self._end else -1

    def enter(self, tag: int) -> Reader:
        """Step over a value of this tag, and give a reader of what is inside.

        Raises:
            MalformedError: another tag, or a length that is not its shortest or runs over.
        """
        start, stop = self._next(tag)
        return Reader(self._data, start, stop)

    def content(self, tag: int) -> bytes:
        """Step over a value of this tag, and give what is inside.

        Raises:
            MalformedError: see `enter`.
        """
        start, stop = self._next(tag)
        return self._data[start:stop]

    def whole(self, tag: int) -> bytes:
        """Step over a value of this tag, and give it with its tag and length.

        Raises:
            MalformedError: see `enter`.
        """
        begin = self._at
        _, stop = self._next(tag)
        return self._data[begin:stop]

    def finish(self) -> None:
        """Insist that nothing is left.

        Raises:
            MalformedError: something is.
        """
        if self._at != self._end:
            raise MalformedError("DER: something follows where nothing may")

    def _next(self, tag: int) -> tuple[int, int]:
        data, at = self._data, self._at
        if at + 2 > self._end or data[at] != tag:
            found = f"{data[at]:#04x}" if at < self._end else "the end"
            raise MalformedError(f"DER: {found} where {tag:#04x} belongs")
        length, start = data[at + 1], at + 2
        if length >= _LONG:
            size = length - _LONG
            if not 1 <= size <= _MAX_LENGTH_BYTES or start + size > self._end:
                raise MalformedError("DER: a length that is indefinite or absurd")
            length = int.from_bytes(data[start : start + size], "big")
            start += size
            if length < _LONG or length >> 8 * (size - 1) == 0:
                raise MalformedError("DER: a length that is not in its shortest form")
        stop = start + length
        if stop > self._end:
            raise MalformedError("DER: a value that runs over its end")
        self._at = stop
        return start, stop

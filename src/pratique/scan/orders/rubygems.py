"""RubyGems versions (`Gem::Version#<=>`): numbers and words, shorter ones filled up with zeros."""

from __future__ import annotations

import re

from pratique.scan.orders.encoding import checked, descending, integer, refused, word

_VERSION = re.compile(r"\d+(?:\.[0-9A-Za-z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z", re.ASCII)
_SEGMENT = re.compile(r"\d+|[A-Za-z]+", re.ASCII)
_WORD_AHEAD, _END, _NUMBER_AHEAD = b"\x01", b"\x02", b"\x03"


def rubygems_key(text: str) -> bytes:
    """Give the sort key of a gem's version; a hyphen starts a pre-release.

    Zeros are what an absent segment counts as, so what matters is how many of them come before a word
    (the fewer, the lower) or before a number (the fewer, the higher).

    Raises:
        UnorderableError: not a gem version.
    """
    if not _VERSION.match(checked(text, "RubyGems")):
        raise refused(text, "RubyGems")
    key = b""
    zeros = 0
    words = False
    for segment in _SEGMENT.findall(text.replace("-", ".pre.")):
        if segment.isdigit():
            number = int(segment)
            if number:
                key += _NUMBER_AHEAD + descending(zeros) + integer(number)
                zeros = 0
            else:
                zeros += 1
        else:
            # zeros between the last number and the first word are dropped: 1.0.a is 1.a
            key += _WORD_AHEAD + integer(zeros if words else 0) + word(segment)
            zeros, words = 0, True
    return key + _END

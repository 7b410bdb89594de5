"""One member of a layer: a path in the image and what is there."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a member is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "pipe"


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member's header.

    Attributes:
        path: as the archive has it; `tree.split_path` makes it safe.
        kind: see `Kind`.
        mode: permission bits with setuid, setgid and sticky (07777).
        uid: owner.
        gid: group.
        size: bytes of content; 0 for everything but files.
        mtime: seconds since 1970.
        target: where a link leads.
        xattrs: names of its extended attributes.
    """

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    target: str = ""
    xattrs: tuple[str, ...] = ()

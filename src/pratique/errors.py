"""Every error that pratique raises on purpose, and the exit code each one ends a command with.

    PratiqueError                      5   never raised itself
    ├── PolicyRefusedError             1   the evidence is there, and policy says no
    ├── UsageError                     2   the command or its input was given wrongly
    │   └── ConfigError                2   a file of the user's own (pratique.toml, a lock file) is wrong
    ├── CouldNotCheckError             3   a check could not run: unknown, and never a pass
    ├── EvidenceInvalidError           4   evidence, or bytes from outside, are not what they claim to be
    │   ├── MalformedError             4   bytes that do not parse under the strict rules
    │   └── SignatureInvalidError      4   a signature, certificate, timestamp or log proof does not hold
    ├── InfrastructureError            5   the machine failed us: disk, sandbox, process, lock
    │   └── SandboxError               5   the isolation asked for cannot be had here
    └── AwaitingApprovalError          6   nothing is wrong; people still have to agree

A message says what happened and to which file or digest; a hint says what to do next, as a command
where there is one.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The published exit codes of every command (docs/exit-codes.md)."""

    PASSED = 0
    REFUSED = 1
    USAGE = 2
    UNKNOWN = 3
    INVALID = 4
    INFRASTRUCTURE = 5
    AWAITING = 6


class PratiqueError(Exception):
    """What went wrong (`message`), and what to do about it (`hint`, may be empty)."""

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PolicyRefusedError(PratiqueError):
    """Policy looked at verified evidence and refused."""

    exit_code = ExitCode.REFUSED


class UsageError(PratiqueError):
    """The caller asked for something that cannot be done as asked."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """One of the user's own files is missing, malformed or contradicts itself."""


class CouldNotCheckError(PratiqueError):
    """A check could not be carried out, so its result is unknown."""

    exit_code = ExitCode.UNKNOWN


class EvidenceInvalidError(PratiqueError):
    """Evidence, or anything else that came from outside, is not what it claims to be."""

    exit_code = ExitCode.INVALID


class MalformedError(EvidenceInvalidError):
    """Bytes from outside that the strict parsers refuse."""


class SignatureInvalidError(EvidenceInvalidError):
    """A signature, certificate, timestamp or transparency-log proof does not verify."""


class InfrastructureError(PratiqueError):
    """The machine underneath failed: disk, process, lock, network."""


class SandboxError(InfrastructureError):
    """No sandbox of the class asked for can be had on this machine."""


class AwaitingApprovalError(PratiqueError):
    """All checks passed; approvals are still owed."""

    exit_code = ExitCode.AWAITING

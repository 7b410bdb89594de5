"""What a check is, and the contexts that its result is judged in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from pratique.model.finding import Finding, Result, Severity
from pratique.runner.probe import Probe, UnreadableError, printable

if TYPE_CHECKING:
    from collections.abc import Callable


class Profile(StrEnum):
    """What kind of machine it is: the same observation is normal in one and critical in another."""

    VM = "vm"
    CONTAINER = "container"
    KUBERNETES = "kubernetes"
    HOSTED = "hosted"

    @property
    def contained(self) -> bool:
        """True where the kernel is shared with others, so that a way out of the container matters."""
        return self in {Profile.CONTAINER, Profile.KUBERNETES}


class Outcome(msgspec.Struct, frozen=True):
    """What a check saw: `detail` says it in words and never holds a secret."""

    result: Result
    detail: str = ""
    location: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check.

    Attributes:
        id: stable id, with a section in docs/runner-checks.md.
        title: what it looks at.
        whole: severity on a machine with a kernel of its own (virtual or bare, own or hosted).
        contained: severity in a container or pod.
        fix: what to do when it fails.
        look: the check itself; whatever it cannot read ends as unknown.
    """

    id: str
    title: str
    whole: Severity
    contained: Severity
    fix: str
    look: Callable[[Probe, Profile], Outcome]

    def run(self, probe: Probe, profile: Profile) -> Finding:
        """Look, and judge by context."""
        try:
            outcome = self.look(probe, profile)
        except UnreadableError as error:
            outcome = Outcome(Result.UNKNOWN, str(error))
        except (ValueError, LookupError) as error:
            # The kernel's files have a known shape; another shape is one we must not judge by.
            outcome = Outcome(Result.UNKNOWN, f"not understood: {error}")
        return Finding(
            id=self.id,
            result=outcome.result,
            severity=self.contained if profile.contained else self.whole,
            title=self.title,
            detail=printable(outcome.detail[:_MAX_DETAIL]),
            location=printable(outcome.location),
            fix=self.fix if outcome.result in {Result.FAIL, Result.UNKNOWN} else "",
        )


_MAX_DETAIL = 600


def judge(problems: list[str], good: str, *, location: str = "") -> Outcome:
    """Fail with the problems, or pass with what was good about it."""
    if problems:
        return Outcome(Result.FAIL, "; ".join(problems), location)
    return Outcome(Result.PASS, good, location)


def not_applicable(why: str) -> Outcome:
    """Say why the question does not arise here."""
    return Outcome(Result.NOT_APPLICABLE, why)


WHOLE_MACHINE = not_applicable("this machine has a kernel of its own: nothing to escape from")

"""How decisions look to a person."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.flow.gate import Decided
    from pratique.flow.rollout import Deployed

_WIDTH = 100


def verdict(word: str, colour: str) -> str:
    """Make the one word that matters most stand out."""
    return click.style(f" {word} ", fg="black", bg=colour, bold=True)


def deployed_lines(deployed: Deployed) -> Iterator[str]:
    """Say what is live now, where, and under what."""
    yield f"{verdict('LIVE', 'green')} {deployed.artifact.name}  {deployed.artifact.digest}"
    yield f"  in         {deployed.environment}{f', healthy at {deployed.url}' if deployed.url else ''}"
    yield f"  under      decision {deployed.decision.short}, approved by {deployed.approvers}"


def obstacle_lines(decided: Decided) -> Iterator[str]:
    """Say what stands in the way, and for each obstacle the cure."""
    from pratique.policy.explain.words import explain  # noqa: PLC0415 - only refusals pay for it

    explanation = explain(decided.decision)
    if decided.note:
        yield f"  {click.style(decided.note, bold=True)}"
    for obstacle in explanation.obstacles:
        yield f"  {click.style('✗', fg='red')} {click.style(obstacle.code, bold=True)} ({obstacle.severity})"
        yield from _wrapped(obstacle.seen, "    ")
        yield from _wrapped(obstacle.cures, "    cure: ")
    for caution in explanation.cautions:
        yield f"  {click.style('!', fg='yellow')} {click.style(caution.code, bold=True)}"
        yield from _wrapped(caution.seen, "    ")
    yield from waived_lines(decided)
    told = " ".join(text for obstacle in explanation.obstacles for text in obstacle.seen)
    for aside in decided.decision.set_aside:
        if aside.reason not in told:
            yield from _wrapped((aside.reason,), "  set aside: ")


def waived_lines(decided: Decided) -> Iterator[str]:
    """Say what people accept for a while, who, until when and why: waived is never hidden."""
    from pratique.policy.explain.words import explain  # noqa: PLC0415 - as above

    for waived in explain(decided.decision).waived:
        yield f"  {click.style('~', fg='yellow')} {click.style(waived.code, bold=True)} is waived"
        yield from _wrapped((*waived.seen, *(f"by {by}" for by in waived.waived_by)), "    ")


def _wrapped(texts: tuple[str, ...], indent: str) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(
            text, _WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_long_words=False
        )

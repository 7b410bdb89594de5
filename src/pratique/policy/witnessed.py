"""How much of the log enough witnesses have seen (C2SP tlog-witness): what lies beyond it does not count yet.

A log's operator who shows two people two histories cannot get both cosigned by witnesses that both of them
believe. So evidence that k of n witnesses have under a tree head they cosigned is evidence everybody sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.policy.strictness import HIGHER, SUBSET
from pratique.trust.cosignature import parse_vkey

if TYPE_CHECKING:
    from collections.abc import Iterable


class WitnessRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[witnesses]`: whose cosignatures count, and how many it takes.

    Attributes:
        keys: verifier keys, as `pratique witness init` prints them.
        threshold: how many distinct keys must have cosigned.
    """

    keys: Annotated[tuple[str, ...], SUBSET]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=100), HIGHER] = 1


class Cosigned(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True, kw_only=True):
    """A verified fact: the largest tree of this log that a witness cosigned.

    Attributes:
        witness: its verifier key.
        size: number of entries.
    """

    witness: str
    size: int


def check_witnesses(rule: WitnessRule, what: str) -> WitnessRule:
    """Give back a rule that can be met, and not by one key under two names.

    Raises:
        ConfigError: no verifier keys, one key twice, or a threshold above their number.
    """
    try:
        keys = {parse_vkey(text).key for text in rule.keys}
    except MalformedError as error:
        raise ConfigError(f"{what}.keys: {error.message}", hint="pratique witness init prints one") from error
    if len(keys) < len(rule.keys):
        raise ConfigError(f"{what}.keys: one key is listed twice; it is one witness, whatever its names")
    if rule.threshold > len(keys):
        raise ConfigError(f"{what}: {rule.threshold} of {len(keys)} witnesses can never have cosigned")
    return rule


def witnessed_size(rule: WitnessRule, cosigned: Iterable[Cosigned]) -> int:
    """Give the size up to which enough distinct witnesses have cosigned; 0 where too few did."""
    sizes = dict.fromkeys((parse_vkey(text).key for text in rule.keys), 0)
    for item in cosigned:
        if item.witness in rule.keys:
            key = parse_vkey(item.witness).key
            sizes[key] = max(sizes[key], item.size)
    return sorted(sizes.values(), reverse=True)[rule.threshold - 1]

"""CVSS v3.0 and v3.1 base scores (FIRST, CVSS v3.1 specification, §7.1 and §7.4)."""

from __future__ import annotations

from typing import Final

from pratique.model.finding import Severity

_WEIGHTS: Final = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "PR": {"N": 0.85, "L": 0.62, "H": 0.27},
    "UI": {"N": 0.85, "R": 0.62},
    "S": {"U": 0.0, "C": 1.0},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PR_CHANGED: Final = {"N": 0.85, "L": 0.68, "H": 0.5}
_BANDS: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.0, Severity.LOW))


def base_score(vector: str) -> float | None:
    """Give the base score of a `CVSS:3.0/…` or `CVSS:3.1/…` vector, or None when it is no valid one."""
    prefix, *metrics = vector.split("/")
    if prefix not in {"CVSS:3.0", "CVSS:3.1"}:
        return None
    values: dict[str, str] = {}
    for metric in metrics:
        name, _, value = metric.partition(":")
        if name in values:
            return None
        values[name] = value
    if any(values.get(name) not in weights for name, weights in _WEIGHTS.items()):
        return None
    changed = values["S"] == "C"
    weight = {name: weights[values[name]] for name, weights in _WEIGHTS.items()}
    if changed:
        weight["PR"] = _PR_CHANGED[values["PR"]]
    base = 1 - (1 - weight["C"]) * (1 - weight["I"]) * (1 - weight["A"])
    impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base
    if impact <= 0:
        return 0.0
    exploitability = 8.22 * weight["AV"] * weight["AC"] * weight["PR"] * weight["UI"]
    return _round_up(min((impact + exploitability) * (1.08 if changed else 1.0), 10.0))


def severity_of_score(score: float) -> Severity:
    """Give the qualitative severity of a base score (§5); "none" (0.0) counts as low."""
    return next(severity for least, severity in _BANDS if score >= least)


def _round_up(score: float) -> float:
    """Round up to one decimal without the artefacts of binary fractions (Appendix A)."""
    scaled = round(score * 100_000)
    return scaled / 100_000 if scaled % 10_000 == 0 else (scaled // 10_000 + 1) / 10

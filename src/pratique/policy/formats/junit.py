"""A decision as JUnit XML, as CI systems read it: one test case a result."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.explain.words import waived_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

# XML 1.0, production [2]: every other character cannot be in a document, not even escaped.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS = {
    Status.VIOLATION: "failure",
    Status.ERROR: "error",
    Status.SKIPPED: "skipped",
    Status.WAIVED: "skipped",
}


def write_junit(decision: Decision) -> bytes:
    """Write one suite. A waived violation is skipped, with who and why; a warning passes, and is said."""
    counts = {
        "tests": len(decision.results),
        "failures": len(decision.with_status(Status.VIOLATION)),
        "errors": len(decision.with_status(Status.ERROR)),
        "skipped": len(decision.with_status(Status.SKIPPED, Status.WAIVED)),
    }
    numbers = {name: str(count) for name, count in counts.items()}
    root = ET.Element("testsuites", {"name": "pratique gate", **numbers})
    about = {"name": xml_text(f"{decision.name} {decision.subject}"), "timestamp": decision.effective_time}
    suite = ET.SubElement(root, "testsuite", {**about, **numbers})
    properties = ET.SubElement(suite, "properties")
    for name, value in (("decision", decision.decision), ("policy", str(decision.policy))):
        ET.SubElement(properties, "property", {"name": name, "value": value})
    for finding in decision.results:
        _case(suite, finding)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _case(suite: ET.Element, finding: Finding) -> None:
    name = " ".join((finding.code, *finding.term))
    case = ET.SubElement(
        suite, "testcase", {"classname": xml_text(finding.code.split(".")[0]), "name": xml_text(name)}
    )
    places = (f"at {place}" for place in finding.locations)
    said = _lines((finding.title, finding.msg, *places, finding.solution))
    if tag := _TAGS.get(finding.status):
        waived = _lines(f"waived by {line}" for line in waived_lines(finding))
        message = waived or finding.msg or finding.title
        outcome = ET.SubElement(case, tag, {"message": xml_text(message)})
        if tag != "skipped":
            outcome.set("type", finding.severity or "unknown")
        outcome.text = xml_text(_lines((said, waived)))
    elif finding.status is Status.WARNING:
        ET.SubElement(case, "system-out").text = xml_text(f"warning: {said}")


def _lines(texts: Iterable[str]) -> str:
    return "\n".join(text for text in texts if text)


def xml_text(text: str) -> str:
    """Replace what XML cannot have; the serialiser escapes the rest."""
    return _NO_XML.sub("\ufffd", text)

"""The report is one inert file, the same for the same input, and shows what it was given and no more."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import msgspec
import pytest

from pratique.model.digest import Digest
from pratique.report.chain import Artifact, Chain, Fact, RuleResult, RuleStatus, Source, StepKind, Verdict
from pratique.report.evidence_fact import EvidenceFact, Outcome
from pratique.report.html import render_html
from pratique.report.ssdf import Edition, evaluate_tasks

NOW = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "</style><svg/onload=alert(1)>",
    "</title><iframe src=javascript:alert(1)>",
    "{{ 7*7 }}{% raw %}<b>",
    "<!--<meta http-equiv=refresh content=0>",
    "]]><a href=javascript:alert(1)>x</a>",
]
ALLOWED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "footer"),
    *("div", "span", "p", "h1", "h2", "h3", "h4", "b", "strong", "em", "dl", "dt", "dd", "ol", "ul", "li"),
    *("code", "pre", "br", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}
ALLOWED_ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "id", "scope", "title"),
    *("aria-hidden", "aria-labelledby"),
}


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.metas: list[dict[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "meta":
            self.metas.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def render(chain: Chain, **options: str) -> str:
    evidence = [
        EvidenceFact(kind="provenance", digest=Digest("a1" * 32), log_index=4, traits=frozenset({"source"})),
        EvidenceFact(kind="rebuild", digest=Digest("b2" * 32), log_index=5, outcome=Outcome.REFUTES),
    ]
    return render_html(
        chain,
        evaluate_tasks(evidence),
        generated_at=NOW,
        version="0.1.0",
        draft_tasks=evaluate_tasks(evidence, edition=Edition.DRAFT_1_2),
        **options,
    )


def poisoned(chain: Chain, text: str) -> Chain:
    """Put `text` into every string that evidence could carry."""
    return msgspec.structs.replace(
        chain,
        artifact=Artifact(name=text, digest=chain.artifact.digest, size=1),
        source=Source(uri=text, revision=text, authors=(text,)),
        steps=tuple(
            msgspec.structs.replace(s, summary=text, signer=text, facts=(Fact(text, text),))
            for s in chain.steps
        ),
        decisions=tuple(
            msgspec.structs.replace(
                d,
                environment=text,
                policy_uri=text,
                results=tuple(RuleResult(status=s, code=text, msg=text, solution=text) for s in RuleStatus),
            )
            for d in chain.decisions
        ),
        environments=tuple(
            msgspec.structs.replace(e, environment=text, phase=text, deployment_id=text)
            for e in chain.environments
        ),
        checkpoint=msgspec.structs.replace(chain.checkpoint, origin=text, root=text),
    )


def test_it_shows_the_chain_the_decision_and_how_to_verify(chain: Chain) -> None:
    text = " ".join("".join(read(render(chain, package="harbour audit.tar")).text).split())
    for expected in [
        "harbour-1.4.0-py3-none-any.whl",
        str(chain.artifact.digest),
        "47.1 KiB",
        "Passed policy",
        "production: live",
        "lin@example.org",
        "ada, for production",
        "sbom.licence_unknown",
        "name the licence in pratique.toml",
        "4 rules met",
        "d-2026-11-20-1",
        "pratique audit verify 'harbour audit.tar' --fingerprint",
        "2026-11-23T01:02:03Z",
        "Draft of SSDF 1.2",
    ]:
        assert expected in text
    for step in chain.steps:
        assert str(step.evidence) in text


def test_same_input_same_bytes_and_the_time_is_the_one_given(chain: Chain) -> None:
    assert render(chain) == render(chain)
    assert set(re.findall(r"2026-11-23T[0-9:]+Z", render(chain))) == {"2026-11-23T01:02:03Z"}


def test_nothing_is_fetched_and_nothing_runs(chain: Chain) -> None:
    page = render(chain)
    reader = read(page)
    assert set(reader.tags) <= ALLOWED_TAGS
    assert reader.attributes <= ALLOWED_ATTRIBUTES
    policy = next(meta["content"] for meta in reader.metas if meta.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_strings_stay_text(chain: Chain, payload: str) -> None:
    benign, hostile = read(render(poisoned(chain, "harmless"))), read(render(poisoned(chain, payload)))
    assert hostile.tags == benign.tags
    assert hostile.attributes == benign.attributes
    assert "".join(hostile.text).count(payload) == "".join(benign.text).count("harmless")


def test_a_hostile_package_name_stays_text_and_one_shell_word(chain: Chain) -> None:
    text = "".join(read(render(chain, package="a'; rm -rf <b>/ #.tar")).text)
    assert """pratique audit verify 'a'"'"'; rm -rf <b>/ #.tar' --fingerprint""" in text


def test_characters_that_hide_or_reorder_text_are_spelt_out(chain: Chain) -> None:
    page = render(poisoned(chain, "safe\u202ecod.exe\u200b\x00"))
    assert "safe\\u202ecod.exe\\u200b\\u0000" in page
    assert not re.search("[\u202e\u200b\x00]", page)


def test_a_hole_in_the_chain_is_said_and_not_shown_as_good(chain: Chain) -> None:
    kept = tuple(step for step in chain.steps if step.kind not in {StepKind.REBUILD, StepKind.SCAN})
    page = render(msgspec.structs.replace(chain, steps=kept))
    assert "This chain has holes: no evidence of rebuild, scan." in page
    assert read(page).text.count("no evidence") >= 2
    assert "holes" not in render(chain)


def test_a_refusal_leads_the_page(chain: Chain) -> None:
    refused = msgspec.structs.replace(
        chain.decisions[0],
        passed=False,
        results=(
            RuleResult(status=RuleStatus.VIOLATION, code="cve.blockers", msg="CVE-2026-1", solution="update"),
        ),
    )
    page = render(msgspec.structs.replace(chain, decisions=(*chain.decisions, refused)))
    assert "Refused by policy" in page
    assert "Passed policy" not in page
    assert "Speaks against it" in page


def test_an_earlier_bad_rebuild_is_not_outshone_by_a_later_good_one(chain: Chain) -> None:
    good = next(step for step in chain.steps if step.kind is StepKind.REBUILD)
    bad = msgspec.structs.replace(good, verdict=Verdict.BAD, summary="3 members differ")
    page = render(msgspec.structs.replace(chain, steps=(bad, *chain.steps)))
    picture = page[page.index('<ol class="chain">') : page.index("</ol>")]
    assert '<li class="bad">' in picture
    assert "3 members differ" in picture


def test_an_artifact_without_any_evidence_is_reported_as_such(chain: Chain) -> None:
    bare = msgspec.structs.replace(chain, source=None, steps=(), decisions=(), environments=())
    text = "".join(read(render(bare)).text)
    for expected in [
        "No decision on record",
        "Not deployed anywhere on record.",
        "no source on record",
        "No evidence is on record for this artifact.",
    ]:
        assert expected in text


def test_without_tasks_the_section_is_left_out(chain: Chain) -> None:
    page = render_html(chain, [], generated_at=NOW, version="0.1.0")
    assert "SSDF" not in page


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 * 2**40, "5120.0 GiB")]
)
def test_sizes(chain: Chain, size: int, text: str) -> None:
    sized = msgspec.structs.replace(chain.artifact, size=size)
    assert f'<span class="size">{text}</span>' in render(msgspec.structs.replace(chain, artifact=sized))

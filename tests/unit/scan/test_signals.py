"""CISA's catalogue of exploited vulnerabilities and FIRST's EPSS scores, as published and broken."""

from __future__ import annotations

import contextlib
import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.scan.signals import read_epss, read_exploited

# First lines of epss_scores-2025-08-25.csv as FIRST describes the format (first.org/epss/data_stats).
EPSS = (
    b"#model_version:v2025.03.14,score_date:2025-08-25T12:55:00Z\n"
    b"cve,epss,percentile\n"
    b"CVE-1999-0001,0.01296,0.78868\n"
    b"CVE-1999-0002,0.16836,0.94623\n"
)


@pytest.mark.parametrize("data", [EPSS, gzip.compress(EPSS), EPSS.replace(b"\n", b"\r\n")])
def test_epss_scores_are_read_with_the_date_they_are_of(data: bytes) -> None:
    signal = read_epss(data, what="epss.csv")
    assert signal.values == {"CVE-1999-0001": 0.01296, "CVE-1999-0002": 0.16836}
    assert signal.date == datetime(2025, 8, 25, 12, 55, tzinfo=UTC)
    assert "v2025.03.14" in signal.attribution
    assert signal.of(["GHSA-1", "CVE-1999-0002"]) == [0.16836]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"cve,epss,percentile\nCVE-1999-0001,0.1,0.2\n",
        EPSS.replace(b"0.01296", b"1.5"),
        EPSS.replace(b"0.01296", b"nan"),
        EPSS.replace(b"0.01296", b"-0.1"),
        EPSS.replace(b"CVE-1999-0001", b"GHSA-1"),
        EPSS.replace(b"2025-08-25T12:55:00Z", b"yesterday"),
        EPSS.split(b"CVE")[0],
        gzip.compress(EPSS)[:-5],
        b"\x1f\x8b\x08" + bytes(20),
        EPSS + b"\xff",
    ],
)
def test_what_is_not_epss_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_epss(data, what="epss.csv")


@pytest.mark.parametrize(
    "change",
    [
        {"dateReleased": None},
        {"dateReleased": "soon"},
        {"vulnerabilities": []},
        {"vulnerabilities": {}},
        {"vulnerabilities": [{"cveID": "CVE-1"}]},
        {"vulnerabilities": [{"cveID": "CVE-1", "dateAdded": "last week"}]},
        {"vulnerabilities": ["CVE-1"]},
    ],
)
def test_what_is_not_the_catalogue_is_refused(change: dict[str, object]) -> None:
    whole = {
        "dateReleased": "2025-08-25T17:04:19.9796Z",
        "vulnerabilities": [{"cveID": "CVE-1", "dateAdded": "2025-01-01"}],
    }
    assert read_exploited(json.dumps(whole).encode(), what="kev").values == {"CVE-1": "2025-01-01"}
    with pytest.raises(MalformedError):
        read_exploited(json.dumps(whole | change).encode(), what="kev")


@given(st.binary(max_size=60) | st.binary(max_size=40).map(EPSS.__add__))
def test_no_bytes_crash_either_reader(data: bytes) -> None:
    for read in (read_epss, read_exploited):
        with contextlib.suppress(MalformedError):
            read(data, what="x")

"""The Rego functions that rules may call: an allow-list, so that what nobody thought of is refused.

A list of forbidden functions (`http.send`, `opa.runtime`, `rand.intn`, `time.now_ns` …) fails open with
each function an engine gains. Everything here is a pure function of its arguments, is implemented by
regorus 0.13 and means the same in OPA 1.x. Not here on purpose, besides clocks, randomness, network and
environment: `io.jwt.*` and `crypto.*` (trust is settled before Rego), `json.match_schema`,
`regex.template_match`, `strings.count` and `strings.replace_n` (engines differ), `print` and `trace` (they
write).

Standard library only: the engine's worker process imports it.
"""

from __future__ import annotations

from typing import Final

_BY_ARITY: Final = {
    1: """
        abs array.reverse base64.decode base64.encode base64.is_valid bits.negate ceil count floor
        glob.quote_meta hex.decode hex.encode intersection is_array is_boolean is_null is_number
        is_object is_set is_string json.is_valid json.marshal json.unmarshal lower max min object.keys
        object.union_n product regex.is_valid round semver.is_valid sort strings.reverse sum
        time.parse_rfc3339_ns to_number trim_space type_name union upper
    """,
    2: """
        array.concat concat contains endswith format_int indexof json.filter json.remove numbers.range
        object.filter object.remove object.subset object.union regex.match regex.split semver.compare split
        sprintf startswith strings.any_prefix_match strings.any_suffix_match time.diff trim
        trim_left trim_prefix trim_right trim_suffix
    """,
    3: "array.slice glob.match object.get regex.find_n regex.replace replace substring",
}

ARITY: Final[dict[str, int]] = {name: arity for arity, names in _BY_ARITY.items() for name in names.split()}

package own.licences_test

import rego.v1

import data.own.licences

bill(id) := {"evidence": {"sbom": [{
	"digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
	"predicate": {"components": [{
		"name": "left-pad",
		"purl": "pkg:npm/left-pad@1.3.0",
		"licenses": [{"license": {"id": id}}],
	}]},
}]}}

test_a_refused_licence_is_denied if {
	found := licences.deny with input as bill("AGPL-3.0-only")
	{finding.term | some finding in found} == {["pkg:npm/left-pad@1.3.0"]}
}

test_another_licence_passes if {
	found := licences.deny with input as bill("MIT")
	count(found) == 0
}

test_the_list_is_data if {
	found := licences.deny with input as bill("MIT") with data.rule_data.custom.refused_licences as ["MIT"]
	count(found) == 1
}

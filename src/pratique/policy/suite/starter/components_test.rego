package own.components_test

import rego.v1

import data.own.components

bill(component) := {"evidence": {"sbom": [{
	"digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
	"predicate": {"components": [component]},
}]}}

test_what_is_listed_is_denied if {
	found := components.deny with input as bill({"name": "left-pad", "purl": "pkg:npm/left-pad@1.3.0"})
	{finding.term | some finding in found} == {["pkg:npm/left-pad@1.3.0"]}
}

test_what_is_not_listed_passes if {
	found := components.deny with input as bill({"name": "left-padding", "purl": "pkg:npm/left-padding@1.3.0"})
	count(found) == 0
}

test_what_has_no_purl_is_denied if {
	found := components.deny with input as bill({"name": "left-pad"})
	count(found) == 1
}

test_the_list_is_data if {
	found := components.deny with input as bill({"name": "x", "purl": "pkg:npm/x@1"})
		with data.rule_data.custom.unwanted as ["pkg:npm/x"]
	count(found) == 1
}

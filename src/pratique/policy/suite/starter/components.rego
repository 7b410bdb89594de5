# A rule of your own. It can add a denial to the shipped policy, and never take one away.
package own.components

import rego.v1

# METADATA
# title: No component is on our list of what we do not use
# description: Some things verify, and are still not wanted here.
# custom:
#   short_name: unwanted
#   severity: high
#   needs: sbom
#   solution: "Replace the component, then build and scan again: pratique ship"
#   controls: [SSDF:PW.4.4]
deny contains finding if {
	some item in input.evidence.sbom
	some component in item.predicate.components
	not wanted(component)
	finding := {
		"code": "components.unwanted",
		"msg": sprintf("%v is not used here", [component.name]),
		"term": [object.get(component, "purl", component.name)],
		"evidence": [item.digest],
	}
}

# The good case is proved and everything else denied: what is absent makes an expression undefined, and a rule
# that needed it would be silent. So a component without a purl is not wanted either.
wanted(component) if {
	is_string(component.purl)
	listed(component.purl) == set()
}

listed(purl) := {name |
	some name in data.rule_data.custom.unwanted
	startswith(purl, concat("", [name, "@"]))
}

# A rule of your own. It can add a denial to the shipped policy, and never take one away.
package own.licences

import rego.v1

# METADATA
# title: No component is under a licence that is refused
# description: Some licences ask for what this product cannot give.
# custom:
#   short_name: refused
#   severity: high
#   needs: sbom
#   solution: "Replace the component, then build and scan again: pratique ship"
#   controls: [SSDF:PW.4.4]
deny contains finding if {
	some item in input.evidence.sbom
	some component in item.predicate.components
	not acceptable(component)
	finding := {
		"code": "licences.refused",
		"msg": sprintf("%v is under %s", [component.name, concat(", ", stated(component) & refused)]),
		"term": [object.get(component, "purl", component.name)],
		"evidence": [item.digest],
	}
}

# The good case is proved and everything else denied: what is absent makes an expression undefined, and a rule
# that needed it would be silent.
acceptable(component) if count(stated(component) & refused) == 0

stated(component) := {entry.license.id | some entry in object.get(component, "licenses", [])}

refused := {id | some id in data.rule_data.custom.refused_licences}

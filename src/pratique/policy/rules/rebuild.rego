# Rebuild: an independent build of the same definition, compared bit by bit.
package pratique.rebuild

import rego.v1

listed := 10

# METADATA
# title: An independent rebuild gave the same bytes
# description: Two builders that agree to the bit were not both altered in the same way by chance. The verdict must be `bit-identical`, both digests equal, and no difference listed. The message names the first ten members that differ.
# custom:
#   short_name: identical
#   severity: critical
#   needs: rebuild
#   solution: "See what differs with: pratique explain. Remove the cause, then build and rebuild."
#   controls: [SSDF:PO.5.1, SSDF:PS.3.2, SSDF:PW.6.2]
deny contains finding if {
	some item in input.evidence.rebuild
	not identical(item.predicate)
	finding := {
		"code": "rebuild.identical",
		"msg": sprintf("the rebuild is not bit-identical; %s", [described(item.predicate)]),
		"term": array.slice(members(item.predicate), 0, listed),
		"evidence": [item.digest],
		"locations": [{"member": name} | some name in array.slice(members(item.predicate), 0, listed)],
	}
}

# The verdict is checked against what it is about: equal digests, and nothing listed as different.
identical(predicate) if {
	predicate.verdict == "bit-identical"
	is_string(predicate.original.digest.sha256)
	predicate.original.digest.sha256 == predicate.rebuilt.digest.sha256
	object.get(predicate, "differences", []) == []
}

members(predicate) := [sprintf("%v", [name]) |
	is_array(predicate.differences)
	some entry in predicate.differences
	name := object.get(entry, "member", "(unnamed)")
]

described(predicate) := "no differing member is named" if count(members(predicate)) == 0

described(predicate) := text if {
	total := count(members(predicate))
	total > 0
	text := sprintf("%d members differ: %s", [total, concat(", ", array.slice(members(predicate), 0, listed))])
}

# METADATA
# title: The rebuild varied its environment
# description: A rebuild under the very same conditions hides what depends on them. Warns where fewer than `rebuild.min_varied` conditions were varied (default 1).
# custom:
#   short_name: varied
#   severity: medium
#   needs: rebuild
#   solution: "Rebuild in a varied environment: pratique rebuild"
#   controls: [SSDF:PW.6.2]
warn contains finding if {
	some item in input.evidence.rebuild
	not varied_enough(item.predicate)
	finding := {
		"code": "rebuild.varied",
		"msg": sprintf("the rebuild varied fewer than %d conditions", [data.rule_data.rebuild.min_varied]),
		"term": [],
		"evidence": [item.digest],
	}
}

varied_enough(predicate) if count(conditions(predicate)) >= data.rule_data.rebuild.min_varied

conditions(predicate) := {name |
	is_array(predicate.varied)
	some name in predicate.varied
}

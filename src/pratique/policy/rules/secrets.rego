# Secrets: none in what ships, by the image check's own search or another tool's.
package pratique.secrets

import rego.v1

import data.pratique.checks
import data.pratique.image

# METADATA
# title: No secret was found in what ships
# description: "What is in an artifact is everybody's, also where an upper layer deletes it. Finds each of the image check's rules on secrets that failed, and each test-result of kind secrets that did not pass."
# custom:
#   short_name: none
#   severity: critical
#   needs: test-result
#   solution: Revoke the secret, take it out of the source and of every layer, and build again.
#   controls: [SSDF:PW.7.2, SSDF:PO.5.1]
deny contains finding if {
	some item in checks.by_kind.image
	some check in item.predicate[image.members]
	startswith(check.id, "IMG-SEC-")
	image.failed(check)
	finding := image.about("secrets.none", item, check)
}

deny contains finding if {
	some item in checks.by_kind.secrets
	not item.predicate.result == "PASSED"
	finding := checks.about(
		"secrets.none",
		item,
		sprintf("%s came to %v: %s", [checks.tool(item), object.get(item.predicate, "result", "nothing"), checks.listed(item, "failedTests")]),
		[],
	)
}

# CI workflows: what a checker of workflow files found, and what set off the build.
package pratique.workflow

import rego.v1

import data.pratique.checks

# METADATA
# title: The workflow files passed their check
# description: "Unpinned actions, injection into scripts and too wide permissions let strangers into the build. Finds each test-result of kind workflow (zizmor, actionlint, poutine and others that `checks.tools` names) that FAILED or says no known result."
# custom:
#   short_name: passed
#   severity: high
#   needs: test-result
#   solution: Correct the workflow files as the tool says, and check them again.
#   controls: [SSDF:PO.3.2, SSDF:PO.5.1]
deny contains finding if {
	some item in checks.by_kind.workflow
	not object.get(item.predicate, "result", "") in {"PASSED", "WARNED"}
	finding := checks.about(
		"workflow.passed",
		item,
		sprintf("%s came to %v: %s", [checks.tool(item), object.get(item.predicate, "result", "nothing"), checks.listed(item, "failedTests")]),
		[],
	)
}

# METADATA
# title: The build was not set off by strangers
# description: "A build that a pull request from outside sets off, or that runs with the CI's debugging on, runs what strangers wrote with the project's rights. Runner check CI-37 must have passed or not apply."
# custom:
#   short_name: event
#   severity: critical
#   needs: runner-posture
#   solution: Build on pushes to protected branches or on tags, with debugging off.
#   controls: [SSDF:PO.5.1, SSDF:PS.1.1]
deny contains finding if {
	some item in input.evidence["runner-posture"]
	outcome := {object.get(check, "result", "unknown") | some check in item.predicate.checks; check.id == "CI-37"}
	not harmless(outcome)
	finding := {
		"code": "workflow.event",
		"msg": sprintf("the runner's posture does not show what set off the build (CI-37: %s)", [said(outcome)]),
		"term": [],
		"evidence": [item.digest],
		"locations": [{"check": "CI-37"}],
	}
}

harmless(outcome) if {
	count(outcome) > 0
	count(outcome - {"pass", "not-applicable"}) == 0
}

said(outcome) := "not checked" if count(outcome) == 0

said(outcome) := concat(", ", sort({sprintf("%v", [result]) | some result in outcome})) if count(outcome) > 0

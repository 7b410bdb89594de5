# Runner posture: what the machine that builds looked like before it built.
package pratique.posture

import rego.v1

known_results := {"pass", "fail", "not-applicable", "unknown"}

known_severities := {"critical", "high", "medium", "low"}

# METADATA
# title: The runner was measured, before the build
# description: A runner that was not looked at may be anything. A posture counts only if it was taken before the build (`phase`) and holds at least one check.
# custom:
#   short_name: measured
#   severity: critical
#   needs: runner-posture
#   solution: "Build with: pratique build"
#   controls: [SSDF:PO.5.1]
deny contains finding if {
	some item in input.evidence["runner-posture"]
	not measured(item.predicate)
	finding := {
		"code": "posture.measured",
		"msg": "the runner posture holds no checks made before the build",
		"term": [],
		"evidence": [item.digest],
	}
}

measured(predicate) if {
	predicate.phase == "before-build"
	is_array(predicate.checks)
	count(predicate.checks) > 0
}

# METADATA
# title: No critical runner check failed
# description: A machine with a critical weakness can alter what it builds. Finds each check that failed with severity critical. A result that is none of the known words counts as failed, and a severity that is absent or malformed as critical. For a machine that you know, such as a container for tests, set the level to warn.
# custom:
#   short_name: critical
#   severity: critical
#   needs: runner-posture
#   solution: "Fix the runner as the check says, then build again: pratique build"
#   controls: [SSDF:PO.5.1, SSDF:PO.5.2]
deny contains finding if {
	some item in input.evidence["runner-posture"]
	some check in item.predicate.checks
	result(check) == "fail"
	severity(check) == "critical"
	finding := about("posture.critical", item, check, "failed")
}

# METADATA
# title: No high runner check failed, and every critical one could be made
# description: What weakens the runner without opening it, and what could not be looked at. Finds each check that failed with severity high (or unknown), and each critical check that could not be made. Many checks cannot be made on a hosted runner.
# custom:
#   short_name: high
#   severity: high
#   needs: runner-posture
#   solution: "Fix the runner as the check says; see all checks with: pratique runner check"
#   controls: [SSDF:PO.5.1]
warn contains finding if {
	some item in input.evidence["runner-posture"]
	some check in item.predicate.checks
	result(check) == "fail"
	severity(check) == "high"
	finding := about("posture.high", item, check, "failed")
}

warn contains finding if {
	some item in input.evidence["runner-posture"]
	some check in item.predicate.checks
	result(check) == "unknown"
	severity(check) == "critical"
	finding := about("posture.high", item, check, "could not be checked")
}

# METADATA
# title: The runner serves one build and is thrown away
# description: "What one build leaves behind, the next one finds. Runner check EPH-21 must have passed: a result of unknown, or no such check, is a finding."
# custom:
#   short_name: single-use
#   severity: high
#   needs: runner-posture
#   solution: "Build on a machine or container that is made for each build; see: pratique runner check"
#   controls: [SSDF:PO.5.1]
deny contains finding if {
	some item in input.evidence["runner-posture"]
	not passed(item, "EPH-21")
	finding := unproven("posture.single-use", item, "EPH-21", "serves one build only")
}

# METADATA
# title: The runner holds no signing material within the build's reach
# description: "A build that can reach a key can sign what it likes. Runner check SEC-16 must have passed: a result of unknown, or no such check, is a finding."
# custom:
#   short_name: keys
#   severity: critical
#   needs: runner-posture
#   solution: "Sign on another machine, or as another user; see: pratique runner check"
#   controls: [SSDF:PO.5.1, SSDF:PS.2.1]
deny contains finding if {
	some item in input.evidence["runner-posture"]
	not passed(item, "SEC-16")
	finding := unproven("posture.keys", item, "SEC-16", "keeps signing material from the build")
}

# METADATA
# title: Most runner checks could be made
# description: A runner of which little could be seen may be anything. At most `posture.max_unknown` percent of the checks may have come to unknown.
# custom:
#   short_name: unknown
#   severity: medium
#   needs: runner-posture
#   solution: "See which checks could not be made, and why: pratique runner check"
#   controls: [SSDF:PO.5.1]
deny contains finding if {
	some item in input.evidence["runner-posture"]
	unknown := [1 | some check in item.predicate.checks; result(check) == "unknown"]
	count(unknown) * 100 > data.rule_data.posture.max_unknown * count(item.predicate.checks)
	finding := {
		"code": "posture.unknown",
		"msg": sprintf("%d of %d runner checks could not be made, and %v%% may be", [
			count(unknown), count(item.predicate.checks), data.rule_data.posture.max_unknown,
		]),
		"term": [],
		"evidence": [item.digest],
	}
}

# Passed wherever it was made, and made at least once.
passed(item, wanted) if {
	{result(check) | some check in item.predicate.checks; check.id == wanted} == {"pass"}
}

unproven(code, item, wanted, what) := {
	"code": code,
	"msg": sprintf("the runner's posture does not show that it %s (%s)", [what, wanted]),
	"term": [],
	"evidence": [item.digest],
	"locations": [{"check": wanted}],
}

# Anything that is no known result counts as failed, and anything that is no known severity as critical if it is
# absent or malformed; `unknown` is a severity of its own and counts as high.
result(check) := check.result if check.result in known_results

result(check) := "fail" if not check.result in known_results

severity(check) := check.severity if check.severity in known_severities

severity(check) := "high" if check.severity == "unknown"

severity(check) := "critical" if {
	not check.severity in known_severities
	not check.severity == "unknown"
}

about(code, item, check, what) := {
	"code": code,
	"msg": sprintf("runner check %v %s: %v", [id(check), what, object.get(check, "title", "(untitled)")]),
	"term": [sprintf("%v", [id(check)])],
	"solution": sprintf("%v", [object.get(check, "fix", "")]),
	"evidence": [item.digest],
	"locations": [place(check, sprintf("%v", [object.get(check, "location", "")]))],
}

# An absolute path is a file of the runner; anything else a part of it: `PATH`.
place(check, where) := {"check": sprintf("%v", [id(check)]), "file": where} if startswith(where, "/")

place(check, where) := {"check": sprintf("%v", [id(check)]), "part": where} if not startswith(where, "/")

id(check) := object.get(check, "id", "(unnamed)")

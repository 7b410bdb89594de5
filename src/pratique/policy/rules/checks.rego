# Checks by tools: in-toto test-result v0.1, told apart by the tool that its configuration names.
package pratique.checks

import rego.v1

settings := data.rule_data.checks

results := {"PASSED", "WARNED", "FAILED"}

# METADATA
# title: Every check that the policy asks for was made
# description: "For each kind in `checks.required` of the rule data there must be accepted test-result evidence by a tool that `checks.tools` counts to that kind. Shipped kinds are image, workflow and secrets; a project can name more."
# custom:
#   short_name: present
#   severity: high
#   solution: "Make the check and record it; an image: pratique image check --attest; others: pratique attest --type test-result"
#   controls: [SSDF:PW.7.2, SSDF:PW.8.2]
deny contains finding if {
	some kind in settings.required
	count(object.get(by_kind, kind, [])) == 0
	finding := {
		"code": "checks.present",
		"msg": sprintf("no accepted test-result of kind %s is there", [kind]),
		"term": [kind],
		"evidence": [],
	}
}

# METADATA
# title: Every test-result says what it came to, and which tool it is of
# description: A result that is none of PASSED, WARNED and FAILED, or a configuration that names no tool by `uri` or `name`, says nothing.
# custom:
#   short_name: readable
#   severity: high
#   needs: test-result
#   solution: Have the tool's result written as in-toto test-result v0.1.
#   controls: [SSDF:PW.8.2]
deny contains finding if {
	some item in input.evidence["test-result"]
	not readable(item)
	finding := about("checks.readable", item, sprintf("the test-result says %v, of %s", [
		object.get(item.predicate, "result", "nothing"), tool(item),
	]), [])
}

readable(item) if {
	item.predicate.result in results
	count(tools(item)) > 0
}

# METADATA
# title: No check failed
# description: Finds each test-result that FAILED, of a kind that has no rules of its own. Images, workflows and secrets have.
# custom:
#   short_name: passed
#   severity: high
#   needs: test-result
#   solution: Correct what the tool found, and run it again.
#   controls: [SSDF:PW.7.2, SSDF:PW.8.2]
deny contains finding if {
	some item in input.evidence["test-result"]
	not item.digest in special
	item.predicate.result == "FAILED"
	finding := about("checks.passed", item, sprintf("%s failed: %s", [tool(item), listed(item, "failedTests")]), [tool(item)])
}

# METADATA
# title: No check warned
# description: Finds each test-result that is WARNED, of any kind.
# custom:
#   short_name: warned
#   severity: low
#   needs: test-result
#   solution: Look at what the tool found.
#   controls: [SSDF:PW.7.2]
deny contains finding if {
	some item in input.evidence["test-result"]
	item.predicate.result == "WARNED"
	finding := about("checks.warned", item, sprintf("%s warned: %s", [tool(item), listed(item, "warnedTests")]), [tool(item)])
}

# By kind, the test-results of the tools that count to it.
by_kind[kind] := items if {
	some kind, patterns in settings.tools
	items := [item |
		some item in input.evidence["test-result"]
		is_of(item, patterns)
	]
}

is_of(item, patterns) if {
	some name in tools(item)
	some pattern in patterns
	glob.match(pattern, null, name)
}

special := {item.digest | some kind in ["image", "workflow", "secrets"]; some item in by_kind[kind]}

tools(item) := {name |
	some entry in item.predicate.configuration
	some key in ["uri", "name"]
	name := entry[key]
	is_string(name)
	name != ""
}

tool(item) := concat(", ", sort(tools(item))) if count(tools(item)) > 0

tool(item) := "an unnamed tool" if count(tools(item)) == 0

listed(item, member) := concat(", ", array.slice(tests(item, member), 0, 10)) if count(tests(item, member)) > 0

listed(item, member) := "no test named" if count(tests(item, member)) == 0

tests(item, member) := [sprintf("%v", [test]) | some test in item.predicate[member]]

about(code, item, msg, term) := {"code": code, "msg": msg, "term": term, "evidence": [item.digest]}

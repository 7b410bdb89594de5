# Images: what the image check found in the image's configuration, history, layers and base.
package pratique.image

import rego.v1

import data.pratique.checks

settings := data.rule_data.image

members := "https://pratique.dev/findings"

facts := "https://pratique.dev/image"

ranks := {"critical": 4, "high": 3, "medium": 2, "low": 1}

# METADATA
# title: The image is hardened
# description: "Finds each rule of the image check that failed with at least the severity `image.threshold`: root as user, set-uid files, world-writable files, remote downloads in the history and more, see docs/image.md. Rules on secrets and on the base have codes of their own. A severity that is none of the known words counts as high. Of a tool that lists no findings, a FAILED result is one finding."
# custom:
#   short_name: hardened
#   severity: high
#   needs: test-result
#   solution: Correct the image as the check says, build it again, and check it again.
#   controls: [SSDF:PW.9.1, SSDF:PW.9.2]
deny contains finding if {
	some item in checks.by_kind.image
	some check in item.predicate[members]
	not set_apart(check)
	failed(check)
	rank(check) >= ranks[settings.threshold]
	finding := about("image.hardened", item, check)
}

deny contains finding if {
	some item in checks.by_kind.image
	not is_array(item.predicate[members])
	item.predicate.result != "PASSED"
	finding := {
		"code": "image.hardened",
		"msg": sprintf("%s came to %v: %s", [checks.tool(item), object.get(item.predicate, "result", "nothing"), checks.listed(item, "failedTests")]),
		"term": [],
		"evidence": [item.digest],
	}
}

# METADATA
# title: Every part of the image could be checked
# description: "A layer that could not be read may hold anything. Finds each rule of the image check that came to unknown, or to a result that is none of the known words."
# custom:
#   short_name: known
#   severity: high
#   needs: test-result
#   solution: Bring the image into a form that can be read, and check it again.
#   controls: [SSDF:PW.9.2]
deny contains finding if {
	some item in checks.by_kind.image
	some check in item.predicate[members]
	not object.get(check, "result", "") in {"pass", "fail", "not-applicable"}
	finding := about("image.known", item, check)
}

# METADATA
# title: The base image is pinned, supported and one that the policy expects
# description: "Finds the image check's rules on the base (pinned by digest, distribution still supported) where they failed. Where `image.bases` names digests or patterns of names, the base that the check recorded must match one by name and have a digest; an image that names no base matches none unless `image.scratch` is true."
# custom:
#   short_name: base
#   severity: high
#   needs: test-result
#   solution: Build on an expected base, by its digest.
#   controls: [SSDF:PW.4.1, SSDF:PO.1.2]
deny contains finding if {
	some item in checks.by_kind.image
	some check in item.predicate[members]
	check.id in {"IMG-ORI-04", "IMG-ORI-06"}
	failed(check)
	finding := about("image.base", item, check)
}

deny contains finding if {
	count(settings.bases) > 0
	some item in checks.by_kind.image
	base := object.get(item.predicate, [facts, "base"], {})
	not expected(base)
	finding := {
		"code": "image.base",
		"msg": sprintf("the base %v (%v) is not one that the policy expects", [
			object.get(base, "name", "(unnamed)"), object.get(base, "digest", "no digest"),
		]),
		"term": [sprintf("%v", [object.get(base, "digest", object.get(base, "name", "(none)"))])],
		"evidence": [item.digest],
	}
}

expected(base) if base.digest in settings.bases

expected(base) if {
	regex.match(`^sha256:[0-9a-f]{64}$`, base.digest)
	some pattern in settings.bases
	glob.match(pattern, null, base.name)
}

expected(base) if {
	settings.scratch
	base == {}
}

set_apart(check) if startswith(check.id, "IMG-SEC-")

set_apart(check) if check.id in {"IMG-ORI-04", "IMG-ORI-06"}

failed(check) if check.result == "fail"

rank(check) := object.get(ranks, object.get(check, "severity", "high"), 3)

about(code, item, check) := {
	"code": code,
	"msg": sprintf("%v came to %v: %v", [
		object.get(check, "id", "(unnamed)"), object.get(check, "result", "nothing"), said(check),
	]),
	"term": [sprintf("%v", [object.get(check, "id", "(unnamed)")]), sprintf("%v", [object.get(check, "location", "")])],
	"solution": sprintf("%v", [object.get(check, "fix", "")]),
	"evidence": [item.digest],
	"locations": [place(check, sprintf("%v", [object.get(check, "location", "")]))],
}

# An absolute path is a member of the image; anything else a part of it: `config.User`, `layer 2`.
place(check, where) := {"check": sprintf("%v", [object.get(check, "id", "(unnamed)")]), "member": where} if startswith(where, "/")

place(check, where) := {"check": sprintf("%v", [object.get(check, "id", "(unnamed)")]), "part": where} if not startswith(where, "/")

said(check) := concat(", ", [text |
	some key in ["title", "location", "detail"]
	text := check[key]
	is_string(text)
	text != ""
])

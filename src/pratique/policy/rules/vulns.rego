# Known vulnerabilities: in-toto vulns v0.2 with pratique's coverage extension.
package pratique.vulns

import rego.v1

settings := data.rule_data.vulns

coverage := "https://pratique.dev/coverage"

ranks := {"critical": 4, "high": 3, "medium": 2, "low": 1}

day_ns := ((24 * 60) * 60) * 1000000000

# METADATA
# title: No vulnerability at or above the threshold
# description: A finding whose severity nobody states counts as high. Denies for each finding whose gravest rating reaches `vulns.threshold` (default high). A rating is a word or a CVSS base score; a finding without a readable one counts as high.
# custom:
#   short_name: threshold
#   severity: high
#   needs: vulns
#   solution: "Upgrade the component, then build and scan again: pratique ship"
#   controls: [SSDF:PW.4.4, SSDF:RV.1.1, SSDF:RV.2.2]
deny contains finding if {
	some item in input.evidence.vulns
	some result in item.predicate.scanner.result
	rank(result) >= ranks[settings.threshold]
	finding := object.union(
		about("vulns.threshold", item, result, sprintf("at or above the threshold %s", [settings.threshold])),
		{"severity": graded(result)},
	)
}

# METADATA
# title: No vulnerability that is known to be exploited
# description: What attackers use already is refused at any severity. Denies for each finding with a `knownExploitedSince` annotation, whatever its severity.
# custom:
#   short_name: exploited
#   severity: critical
#   needs: vulns
#   solution: "Upgrade or remove the component, then build and scan again: pratique ship"
#   controls: [SSDF:RV.1.1, SSDF:RV.2.1, SSDF:RV.2.2]
deny contains finding if {
	some item in input.evidence.vulns
	some result in item.predicate.scanner.result
	exploited(result)
	finding := about("vulns.exploited", item, result, "known to be exploited")
}

# METADATA
# title: No vulnerability below the threshold
# description: Does not stop the artifact, and is not forgotten either. Warns for each finding below `vulns.threshold`.
# custom:
#   short_name: below-threshold
#   severity: low
#   needs: vulns
#   solution: Upgrade the component when you next change it.
#   controls: [SSDF:RV.2.1]
warn contains finding if {
	some item in input.evidence.vulns
	some result in item.predicate.scanner.result
	rank(result) < ranks[settings.threshold]
	finding := about("vulns.below-threshold", item, result, sprintf("below the threshold %s", [settings.threshold]))
}

# METADATA
# title: The scan could judge every component
# description: A component that was not matched may have any vulnerability. The scan must carry the coverage extension with an empty `unknown` list, and a list of results. Without it an empty list of findings could mean that nothing was looked at.
# custom:
#   short_name: coverage
#   severity: high
#   needs: vulns
#   solution: "Add the advisories or the version that is missing, and scan again: pratique scan"
#   controls: [SSDF:PW.4.4, SSDF:RV.1.1]
deny contains finding if {
	some item in input.evidence.vulns
	not covered(item.predicate)
	unknown := unknowns(item.predicate)
	finding := {
		"code": "vulns.coverage",
		"msg": sprintf("the scan does not show that it judged every component; not judged: %s", [listing(unknown)]),
		"term": array.slice(unknown, 0, 10),
		"evidence": [item.digest],
	}
}

covered(predicate) if {
	is_array(predicate.scanner.result)
	predicate[coverage].unknown == []
}

unknowns(predicate) := [sprintf("%v", [subject]) |
	is_array(predicate[coverage].unknown)
	some entry in predicate[coverage].unknown
	subject := object.get(entry, "subject", "(unnamed)")
]

listing(names) := "(not said)" if count(names) == 0

listing(names) := concat(", ", array.slice(names, 0, 10)) if count(names) > 0

# METADATA
# title: The advisories were recent
# description: Old advisories do not know new vulnerabilities. `scanner.db.lastUpdate` may be `vulns.max_database_age_days` before the effective time (default 90), and not after it by more than a day.
# custom:
#   short_name: database-age
#   severity: high
#   needs: vulns
#   solution: "Import newer advisories and scan again: pratique scan"
#   controls: [SSDF:RV.1.1]
deny contains finding if {
	some item in input.evidence.vulns
	not recent(item.predicate)
	finding := {
		"code": "vulns.database-age",
		"msg": sprintf(
			"the advisories are of %v, and may be %d days old at most",
			[updated(item.predicate), settings.max_database_age_days],
		),
		"term": [],
		"evidence": [item.digest],
	}
}

recent(predicate) if {
	regex.match(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`, predicate.scanner.db.lastUpdate)
	age := time.parse_rfc3339_ns(input.effective_time) - time.parse_rfc3339_ns(predicate.scanner.db.lastUpdate)
	age <= settings.max_database_age_days * day_ns
	age >= 0 - day_ns
}

updated(predicate) := object.get(predicate, ["scanner", "db", "lastUpdate"], "an unknown date")

# The gravest rank that any rating gives; where none can be read, as high.
rank(result) := max(stated_ranks(result)) if count(stated_ranks(result)) > 0

rank(result) := ranks.high if count(stated_ranks(result)) == 0

stated_ranks(result) := {found |
	is_array(result.severity)
	some rating in result.severity
	found := rating_rank(rating.score)
}

rating_rank(score) := ranks[lower(score)] if is_string(score)

rating_rank(score) := band(to_number(score)) if {
	is_string(score)
	regex.match(`^\d{1,2}(\.\d+)?$`, score)
}

rating_rank(score) := band(score) if is_number(score)

band(score) := 4 if score >= 9

band(score) := 3 if {
	score >= 7
	score < 9
}

band(score) := 2 if {
	score >= 4
	score < 7
}

band(score) := 1 if score < 4

# Absent, null or empty: not listed as exploited. Anything else says that it is.
exploited(result) if {
	some note in result.annotations
	not object.get(note, "knownExploitedSince", "") in {"", null}
}

about(code, item, result, what) := {
	"code": code,
	"msg": sprintf("%v in %s is %s (severity %s)", [id(result), package_of(result), what, severity(result)]),
	"term": [sprintf("%v", [id(result)]), package_of(result)],
	"solution": fix(result),
	"evidence": [item.digest],
}

id(result) := object.get(result, "id", "(unnamed)")

packages(result) := sort([sprintf("%v", [note.purl]) | some note in result.annotations; note.purl])

package_of(result) := "an unnamed component" if count(packages(result)) == 0

package_of(result) := packages(result)[0] if count(packages(result)) > 0

severity(result) := "not stated" if count(stated_ranks(result)) == 0

severity(result) := name if {
	count(stated_ranks(result)) > 0
	some name, number in ranks
	number == rank(result)
}

# As the finding's own severity, which says how many people it takes to waive it.
graded(result) := name if {
	some name, number in ranks
	number == rank(result)
}

fixed(result) := sort([sprintf("%v", [version]) |
	some note in result.annotations
	some version in note.fixedVersions
])

fix(result) := "" if count(fixed(result)) == 0

fix(result) := text if {
	count(fixed(result)) > 0
	text := sprintf("Upgrade %s to %s, then build and scan again: pratique ship", [
		package_of(result),
		concat(" or ", fixed(result)),
	])
}

# Known vulnerabilities: in-toto vulns v0.2 with pratique's coverage extension.
package pratique.vulns

import rego.v1

import data.pratique.findings
import data.pratique.vex

settings := data.rule_data.vulns

coverage := "https://pratique.dev/coverage"

day_ns := ((24 * 60) * 60) * 1000000000

now := time.parse_rfc3339_ns(input.effective_time)

# METADATA
# title: No vulnerability at or above the threshold
# description: A finding whose severity nobody states counts as high. Finds each vulnerability whose gravest rating reaches `vulns.threshold`. A rating is a word or a CVSS base score; a finding without a readable one counts as high. What a VEX statement answers for is shown by `vex.applied` instead.
# custom:
#   short_name: threshold
#   severity: high
#   needs: vulns
#   solution: "Upgrade the component, then build and scan again: pratique ship"
#   controls: [SSDF:PW.4.4, SSDF:RV.1.1, SSDF:RV.2.2]
deny contains finding if {
	some fact in open
	fact.rank >= threshold
	finding := object.union(
		about("vulns.threshold", fact, sprintf("at or above the threshold %s", [settings.threshold])),
		{"severity": findings.words[fact.rank]},
	)
}

# METADATA
# title: No vulnerability that is known to be exploited
# description: What attackers use already is refused at any severity. Finds each vulnerability with a `knownExploitedSince` annotation, whatever its severity, unless a VEX statement answers for it.
# custom:
#   short_name: exploited
#   severity: critical
#   needs: vulns
#   solution: "Upgrade or remove the component, then build and scan again: pratique ship"
#   controls: [SSDF:RV.1.1, SSDF:RV.2.1, SSDF:RV.2.2]
deny contains finding if {
	some fact in open
	fact.position in exploited
	finding := about("vulns.exploited", fact, "known to be exploited")
}

# METADATA
# title: No vulnerability below the threshold
# description: Does not stop the artifact, and is not forgotten either. Finds each vulnerability below `vulns.threshold`.
# custom:
#   short_name: below-threshold
#   severity: low
#   needs: vulns
#   solution: Upgrade the component when you next change it.
#   controls: [SSDF:RV.2.1]
warn contains finding if {
	some fact in open
	fact.rank < threshold
	finding := about("vulns.below-threshold", fact, sprintf("below the threshold %s", [settings.threshold]))
}

# METADATA
# title: No vulnerability for which there is a fix
# description: Whoever can upgrade and does not has chosen the risk. Finds each vulnerability for which the advisories name a fixed version, whatever its severity.
# custom:
#   short_name: fixable
#   severity: medium
#   needs: vulns
#   solution: "Upgrade the component, then build and scan again: pratique ship"
#   controls: [SSDF:PW.4.4, SSDF:RV.2.2]
deny contains finding if {
	some fact in open
	versions := fixed(fact)
	count(versions) > 0
	finding := about("vulns.fixable", fact, sprintf("fixed in %s", [concat(" or ", versions)]))
}

# METADATA
# title: No vulnerability that is likely to be exploited soon
# description: EPSS estimates how probable exploitation is within 30 days. Finds each vulnerability whose EPSS probability, from the scan's `epss` annotation or by CVE from the table `vulns.epss` in the rule data, is at least `vulns.max_epss`.
# custom:
#   short_name: epss
#   severity: high
#   needs: vulns
#   solution: "Upgrade or remove the component, then build and scan again: pratique ship"
#   controls: [SSDF:RV.1.1, SSDF:RV.2.1]
deny contains finding if {
	some fact in open
	chance := chances[fact.position]
	chance >= settings.max_epss
	finding := about("vulns.epss", fact, sprintf("likely to be exploited: EPSS %v, allowed below %v", [chance, settings.max_epss]))
}

# METADATA
# title: The probability of exploitation is known for each vulnerability
# description: Where neither the scan nor the rule data holds an EPSS probability, nothing can be said of it, which is no reason to pass. One finding counts them.
# custom:
#   short_name: epss-unknown
#   severity: low
#   needs: vulns
#   solution: Give the probabilities in the rule data, under vulns.epss, by CVE.
#   controls: [SSDF:RV.2.1]
deny contains finding if {
	some item in input.evidence.vulns
	unknown := [sprintf("%s in %s", [fact.id, fact.purl]) | some fact in open; fact.evidence == item.digest; chances[fact.position] < 0]
	finding := lacking("vulns.epss-unknown", "EPSS probability", item, unknown)
}

# METADATA
# title: No vulnerability has been public for too long
# description: Finds each vulnerability that the advisories published longer ago than `vulns.max_open_days` allows for its severity.
# custom:
#   short_name: age
#   severity: high
#   needs: vulns
#   solution: "Upgrade or remove the component, then build and scan again: pratique ship"
#   controls: [SSDF:RV.1.1, SSDF:RV.2.2]
deny contains finding if {
	some fact in open
	since := published[fact.position]
	since >= 0
	allowed := settings.max_open_days[findings.words[fact.rank]]
	now - since > allowed * day_ns
	finding := about("vulns.age", fact, sprintf("public for more than %d days", [allowed]))
}

# METADATA
# title: The date of publication is known for each vulnerability
# description: Where the scan wrote no readable `published` date, how long a vulnerability has been public is unknown. One finding counts them.
# custom:
#   short_name: age-unknown
#   severity: low
#   needs: vulns
#   solution: "Import advisories that say when they were published, and scan again: pratique scan"
#   controls: [SSDF:RV.1.1]
deny contains finding if {
	some item in input.evidence.vulns
	unknown := [sprintf("%s in %s", [fact.id, fact.purl]) | some fact in open; fact.evidence == item.digest; published[fact.position] < 0]
	finding := lacking("vulns.age-unknown", "date of publication", item, unknown)
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
	not covered(item)
	unknown := unknowns(item.predicate)
	finding := {
		"code": "vulns.coverage",
		"msg": sprintf("the scan does not show that it judged every component; not judged: %s", [listing(unknown)]),
		"term": array.slice(unknown, 0, 10),
		"evidence": [item.digest],
	}
}

# Each result must also have become a fact: one of a shape that no rule below understands is not judged either.
covered(item) if {
	is_array(item.predicate.scanner.result)
	item.predicate[coverage].unknown == []
	count([fact | some fact in findings.facts; fact.evidence == item.digest]) == count(item.predicate.scanner.result)
}

unknowns(predicate) := [sprintf("%v", [subject]) |
	is_array(predicate[coverage].unknown)
	some entry in predicate[coverage].unknown
	subject := object.get(entry, "subject", "(unnamed)")
]

listing(list) := "(not said)" if count(list) == 0

listing(list) := concat(", ", array.slice(list, 0, 10)) if count(list) > 0

# METADATA
# title: The advisories were recent
# description: Old advisories do not know new vulnerabilities. `scanner.db.lastUpdate` may be `vulns.max_database_age_days` before the effective time, and not after it by more than a day.
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
	age := now - moment(predicate.scanner.db.lastUpdate)
	age <= settings.max_database_age_days * day_ns
	age >= 0 - day_ns
}

updated(predicate) := object.get(predicate, ["scanner", "db", "lastUpdate"], "an unknown date")

# A time in RFC 3339, in nanoseconds; undefined for anything else, and an impossible date is an error, which denies.
moment(text) := time.parse_rfc3339_ns(text) if {
	is_string(text)
	regex.match(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`, text)
}

# What no statement answers for.
open := findings.facts if count(vex.answers) == 0

open := {position: fact | some position, fact in findings.facts; not vex.answers[position]} if count(vex.answers) > 0

threshold := findings.ranks[settings.threshold]

# What only some rules ask for, by the fact's position.
exploited := {fact.position |
	some fact in findings.facts
	some note in fact.notes
	since := note.knownExploitedSince
	not since in {"", null}
}

chances := {fact.position: max({-1} | epss(fact.id, fact.notes)) | some fact in findings.facts}

published := {fact.position: least([moment | some note in fact.notes; moment := moments[note.published]]) | some fact in findings.facts}

fixed(fact) := sort([sprintf("%v", [version]) | some note in fact.notes; some version in note.fixedVersions])

epss(id, notes) := {number | number := settings.epss[id]} | {number | some note in notes; number := note.epss; is_number(number)}

# Each different date once, as most of the time goes into seeing that it is one.
moments := {text: found |
	some pair in findings.results
	some note in pair[1].annotations
	text := note.published
	found := moment(text)
}

least(numbers) := min(numbers) if { count(numbers) > 0 } else := -1

about(code, fact, what) := {
	"code": code,
	"msg": sprintf("%s in %s is %s (severity %s)", [fact.id, fact.purl, what, findings.words[fact.stated]]),
	"term": [fact.id, fact.purl],
	"solution": fix(fact),
	"evidence": [fact.evidence],
}

fix(fact) := "" if count(fixed(fact)) == 0

fix(fact) := text if {
	versions := fixed(fact)
	count(versions) > 0
	text := sprintf("Upgrade %s to %s, then build and scan again: pratique ship", [fact.purl, concat(" or ", versions)])
}

lacking(code, what, item, unknown) := finding if {
	count(unknown) > 0
	finding := {
		"code": code,
		"msg": sprintf("no %s is known of %d findings: %s", [what, count(unknown), listing(unknown)]),
		"term": [],
		"evidence": [item.digest],
	}
}

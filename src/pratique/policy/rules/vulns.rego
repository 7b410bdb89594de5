# Known vulnerabilities: in-toto vulns v0.2 with pratique's coverage extension.
package pratique.vulns

import rego.v1

import data.pratique.vex

settings := data.rule_data.vulns

coverage := "https://pratique.dev/coverage"

ranks := {"critical": 4, "high": 3, "medium": 2, "low": 1}

names := {4: "critical", 3: "high", 2: "medium", 1: "low"}

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
	fact.rank >= ranks[settings.threshold]
	finding := object.union(
		about("vulns.threshold", fact, sprintf("at or above the threshold %s", [settings.threshold])),
		{"severity": names[fact.rank]},
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
	fact.exploited
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
	fact.rank < ranks[settings.threshold]
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
	count(fact.fixed) > 0
	finding := about("vulns.fixable", fact, sprintf("fixed in %s", [concat(" or ", fact.fixed)]))
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
	fact.epss >= settings.max_epss
	finding := about("vulns.epss", fact, sprintf("likely to be exploited: EPSS %v, allowed below %v", [fact.epss, settings.max_epss]))
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
	unknown := [sprintf("%s in %s", [fact.id, fact.purl]) | some fact in open; fact.evidence == item.digest; fact.epss < 0]
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
	fact.published >= 0
	allowed := settings.max_open_days[names[fact.rank]]
	now - fact.published > allowed * day_ns
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
	unknown := [sprintf("%s in %s", [fact.id, fact.purl]) | some fact in open; fact.evidence == item.digest; fact.published < 0]
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
	count([fact | some fact in facts; fact.evidence == item.digest]) == count(item.predicate.scanner.result)
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

# What is known of each result, worked out once. Every member has a value for every shape a result can have.
facts := [fact |
	some item in input.evidence.vulns
	some result in item.predicate.scanner.result
	grades := {grade | is_array(result.severity); some rating in result.severity; grade := score_ranks[rating.score]}
	notes := [note | some note in result.annotations; is_object(note)]
	stated := max(grades | {0})
	id := sprintf("%v", [object.get(result, "id", "(unnamed)")])
	purl := first([sprintf("%v", [note.purl]) | some note in notes; note.purl])
	ids := {id} | {alias | some note in notes; some alias in note.aliases}
	fact := {
		"evidence": item.digest,
		"id": id,
		"purl": purl,
		"rank": gravity[stated],
		"severity": words[stated],
		"exploited": count([1 | some note in notes; since := note.knownExploitedSince; not since in {"", null}]) > 0,
		"fixed": sort([sprintf("%v", [version]) | some note in notes; some version in note.fixedVersions]),
		"epss": max({-1} | epss(id, notes)),
		"published": least([published | some note in notes; published := moments[note.published]]),
		"ids": ids,
		"answer": vex.answer(purl, ids),
	}
]

# What no statement answers for.
open := [fact | some fact in facts; not fact.answer.excuses]

epss(id, notes) := {number | number := settings.epss[id]} | {number | some note in notes; number := note.epss; is_number(number)}

first(list) := sorted[0] if { sorted := sort(list) } else := "an unnamed component"

# Each different date once, as most of the time goes into seeing that it is one.
moments := {text: found |
	some item in input.evidence.vulns
	some result in item.predicate.scanner.result
	some note in result.annotations
	text := note.published
	found := moment(text)
}

least(numbers) := min(numbers) if { count(numbers) > 0 } else := -1

# By the gravest rank that any rating gives; where none can be read (0), as high.
gravity := {0: 3, 1: 1, 2: 2, 3: 3, 4: 4}

words := object.union(names, {0: "not stated"})

# Each different score once.
score_ranks := {score: found |
	scores := {rating.score |
		some item in input.evidence.vulns
		some result in item.predicate.scanner.result
		is_array(result.severity)
		some rating in result.severity
	}
	some score in scores
	found := rating_rank(score)
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

about(code, fact, what) := {
	"code": code,
	"msg": sprintf("%s in %s is %s (severity %s)", [fact.id, fact.purl, what, fact.severity]),
	"term": [fact.id, fact.purl],
	"solution": fix(fact),
	"evidence": [fact.evidence],
}

fix(fact) := "" if count(fact.fixed) == 0

fix(fact) := text if {
	count(fact.fixed) > 0
	text := sprintf("Upgrade %s to %s, then build and scan again: pratique ship", [fact.purl, concat(" or ", fact.fixed)])
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

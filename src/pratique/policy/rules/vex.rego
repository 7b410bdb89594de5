# VEX: OpenVEX statements about vulnerabilities of this artifact, by those who may sign them.
package pratique.vex

import rego.v1

import data.pratique.findings

now := time.parse_rfc3339_ns(input.effective_time)

justifications := {
	"component_not_present",
	"vulnerable_code_not_present",
	"vulnerable_code_not_in_execute_path",
	"vulnerable_code_cannot_be_controlled_by_adversary",
	"inline_mitigations_already_exist",
}

# METADATA
# title: No vulnerability that somebody had to answer for
# description: A VEX statement says why a vulnerability that was found does no harm here. It counts only in accepted `vex` evidence about this artifact, with status `not_affected` and a justification or impact statement, or with status `fixed`; dated no later than the decision; naming the vulnerability or an alias of it; and about the component, or about the artifact with the component among its subcomponents or with none named. Of several, the latest holds; at one moment, the graver. The vulnerability stays in sight here.
# custom:
#   short_name: applied
#   severity: low
#   needs: vex
#   solution: Nothing has to be done while the statement holds; look at it again when the component changes.
#   controls: [SSDF:RV.2.1, SSDF:RV.2.2]
warn contains finding if {
	some position, claim in answers
	fact := findings.facts[position]
	finding := {
		"code": "vex.applied",
		"msg": sprintf(
			"%s in %s (severity %s) counts as %s, says %s: %s",
			[fact.id, fact.purl, findings.words[fact.stated], claim.status, claim.signer, claim.reason],
		),
		"term": [fact.id, fact.purl],
		"evidence": [fact.evidence, claim.evidence],
	}
}

# METADATA
# title: Every VEX statement answers for something that was found
# description: A statement that no finding answers to is about something else than its author thinks, or is outdated. Finds each vulnerability that statements name and the scan did not find, under any of its ids.
# custom:
#   short_name: unused
#   severity: low
#   needs: vex
#   solution: Correct the statement's vulnerability or product, or take it out of the document.
#   controls: [SSDF:RV.2.1]
warn contains finding if {
	found := {id | some fact in findings.facts; some id in fact.ids}
	some id, about in claims
	not id in found
	finding := {
		"code": "vex.unused",
		"msg": sprintf("a VEX statement is about %s, which the scan did not find here", [id]),
		"term": [id],
		"evidence": sort({claim.evidence | some claim in about}),
	}
}

# METADATA
# title: Every VEX statement that excuses says why and since when
# description: Without a reason there is nothing to judge, and without a date nobody knows which statement is the latest; a date after the decision is none. Such a statement counts for nothing.
# custom:
#   short_name: reasoned
#   severity: medium
#   needs: vex
#   solution: Give the statement a justification or an impact_statement, and a timestamp.
#   controls: [SSDF:RV.2.1]
warn contains finding if {
	some item in input.evidence.vex
	some position, statement in item.predicate.statements
	statement.status in {"not_affected", "fixed"}
	not counts(statement, item.predicate)
	finding := {
		"code": "vex.reasoned",
		"msg": sprintf("VEX statement %d (%v) gives no reason, or no date before the decision, and does not count", [position, statement.status]),
		"term": [sprintf("%d", [position])],
		"evidence": [item.digest],
	}
}

# By the position of a vulnerability that was found: the statement that holds for it and says that there is nothing to fear.
# Only those are looked at that a statement names, which is none where there are no statements.
answers[position] := found if {
	some position in {each | some id, _ in claims; some each in found_as[id]}
	fact := findings.facts[position]
	about := [claim | some id in fact.ids; some claim in claims[id]; covers(claim, fact.purl)]
	good := sort([[claim.moment, claim] | some claim in about; claim.excuses])
	count(good) > 0
	found := good[count(good) - 1][1]
	count([1 | some claim in about; not claim.excuses; claim.moment >= found.moment]) == 0
}

found_as[id] contains fact.position if {
	some fact in findings.facts
	some id in fact.ids
}

covers(claim, purl) if purl in claim.parts

covers(claim, purl) if {
	parts := split(purl, "?")
	parts[0] in claim.parts
}

covers(claim, purl) if {
	parts := split(purl, "?")
	named := split(parts[0], "@")
	named[0] in claim.parts
}

covers(claim, _) if {
	claim.whole
	count(claim.parts) == 0
}

# By the vulnerability's name. A statement that objects counts whatever its date.
claims[id] contains claim if {
	some item in input.evidence.vex
	some statement in item.predicate.statements
	some excuses in [counts(statement, item.predicate)]
	not ignored(statement, excuses)
	some product in statement.products
	whole := is_artifact(product)
	claim := {
		"evidence": item.digest,
		"signer": item.signer,
		"status": sprintf("%v", [statement.status]),
		"reason": reason(statement),
		"excuses": excuses,
		"moment": moment(statement, item.predicate),
		"whole": whole,
		"parts": parts(product, whole),
	}
	some id in vulnerability_names(statement.vulnerability)
}

ignored(statement, false) if statement.status in {"not_affected", "fixed"}

default counts(_, _) := false

counts(statement, document) if {
	statement.status in {"not_affected", "fixed"}
	reason(statement) != ""
	moment(statement, document) <= now
}

# In nanoseconds; of a time that cannot be read, later than any.
default moment(_, _) := 9000000000000000000

moment(statement, document) := time.parse_rfc3339_ns(text) if {
	text := object.get(statement, "last_updated", object.get(statement, "timestamp", object.get(document, "timestamp", "")))
	is_string(text)
	regex.match(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`, text)
}

default reason(_) := ""

reason(statement) := "fixed in this artifact" if statement.status == "fixed"

reason(statement) := concat("; ", given) if {
	statement.status != "fixed"
	given := reasons(statement)
	count(given) > 0
}

reasons(statement) := [label | some label in [statement.justification]; label in justifications] if {
	not is_text(statement, "impact_statement")
}

reasons(statement) := [statement.impact_statement] if is_text(statement, "impact_statement")

is_text(statement, member) if {
	is_string(statement[member])
	statement[member] != ""
}

vulnerability_names(value) := {value} if is_string(value)

vulnerability_names(value) := {name |
	some name in [object.get(value, "name", ""), object.get(value, "@id", "")]
	name != ""
} | {alias | some alias in value.aliases} if {
	is_object(value)
}

# The artifact itself, by its digest.
default is_artifact(_) := false

is_artifact(product) if product.hashes["sha-256"] == input.subject.digest.sha256

is_artifact(product) if identity(product) == sprintf("sha256:%s", [input.subject.digest.sha256])

# What the statement is about inside the artifact: the product, or the subcomponents of it.
parts(product, true) := {identity(part) | some part in product.subcomponents}

parts(product, false) := {identity(product)}

identity(value) := value if is_string(value)

identity(value) := object.get(value, ["identifiers", "purl"], object.get(value, "@id", "")) if is_object(value)

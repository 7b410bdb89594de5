# Licences: SPDX expressions of the components in the bill of materials.
package pratique.licences

import rego.v1

settings := data.rule_data.licences

listed := 10

# METADATA
# title: No component under a refused licence only
# description: "Evaluates each component's SPDX expression over the ids in `licences.refused`: of `A OR B` one choice that is not refused is enough, of `A AND B` both must be. `X WITH exception` is refused with X, unless `licences.allowed` names it whole. Several entries of one component hold together, as CycloneDX does not say otherwise. Letter case and a final `+` make no other licence."
# custom:
#   short_name: refused
#   severity: high
#   needs: sbom
#   solution: Replace the component, or take the licence off licences.refused in the rule data.
#   controls: [SSDF:PW.4.1, SSDF:PO.1.2]
deny contains finding if {
	count(settings.refused) > 0
	bad := {licences | some licences, verdict in verdicts; verdict.unrefused != "T"}
	count(bad) > 0
	some item in input.evidence.sbom
	some component in item.predicate.components
	component.licenses in bad
	what := sprintf("under %s, which leaves no choice that is not refused", [verdicts[component.licenses].text])
	finding := about("licences.refused", item, component, what)
}

# METADATA
# title: Every component under an allowed licence
# description: "Where `licences.allowed` names any ids, each component's SPDX expression must come out true over them: one side of `OR`, both sides of `AND`, `X WITH exception` named whole. An expression that cannot be read is not allowed."
# custom:
#   short_name: allowed
#   severity: high
#   needs: sbom
#   solution: Replace the component, or add the licence to licences.allowed in the rule data.
#   controls: [SSDF:PW.4.1, SSDF:PO.1.2]
deny contains finding if {
	count(settings.allowed) > 0
	bad := {licences | some licences, verdict in verdicts; verdict.allowed != "T"}
	count(bad) > 0
	some item in input.evidence.sbom
	some component in item.predicate.components
	component.licenses in bad
	what := sprintf("under %s, which the allowed licences do not cover", [verdicts[component.licenses].text])
	finding := about("licences.allowed", item, component, what)
}

# METADATA
# title: The licence of every component is known
# description: A component without a licence, or with one that is free text and no SPDX id or expression, may be under any. One finding names the first ten.
# custom:
#   short_name: known
#   severity: medium
#   needs: sbom
#   solution: Find out the licence; a component of your own gets one in its metadata.
#   controls: [SSDF:PW.4.1]
deny contains finding if {
	some item in input.evidence.sbom
	unknown := [label(component) | some component in item.predicate.components; not component.licenses in known]
	count(unknown) > 0
	finding := {
		"code": "licences.known",
		"msg": sprintf("the licence of %d of %d components is unknown: %s", [
			count(unknown), count(item.predicate.components), concat(", ", array.slice(unknown, 0, listed)),
		]),
		"term": [],
		"evidence": [item.digest],
	}
}

known contains licences if {
	some licences in distinct
	count(licences) > 0
	every entry in licences { is_spdx(entry) }
}

is_spdx(entry) if regex.match(`^[A-Za-z0-9.+() :-]+$`, entry.expression)

is_spdx(entry) if regex.match(`^[A-Za-z0-9.+-]+$`, entry.license.id)

# Each different list of licences once, however many components have it.
distinct := {component.licenses | some item in input.evidence.sbom; some component in item.predicate.components}

verdicts := {licences: verdict |
	some licences in distinct
	text := expression(licences)
	text != ""
	words := tokens(text)
	verdict := {
		"text": text,
		"unrefused": value(symbols(words, "refused")),
		"allowed": value(symbols(words, "allowed")),
	}
}

# All entries together; of free text, one word that holds no operator.
expression(licences) := concat(" AND ", [entry_expression(entry) | some entry in licences]) if {
	is_array(licences)
} else := sprintf("%v", [licences])

entry_expression(entry) := sprintf("(%v)", [entry.expression]) if {
	entry.expression
} else := regex.replace(sprintf("%v", [object.get(entry, ["license", "id"], object.get(entry, ["license", "name"], "unreadable"))]), `[^A-Za-z0-9.+-]+`, "-")

refused := {lower(id) | some id in settings.refused}

allowed := {lower(id) | some id in settings.allowed}

# Ids as words, an exception joined to its licence by `~`, brackets apart.
tokens(text) := [word |
	joined := regex.replace(lower(text), `\s+with\s+`, "~")
	some word in split(regex.replace(regex.replace(joined, `([()])`, " $1 "), `\s+`, " "), " ")
	word != ""
]

symbols(words, list) := concat("", [symbol(word, list) | some word in words])

symbol("(", _) := "("

symbol(")", _) := ")"

symbol("and", _) := "&"

symbol("or", _) := "|"

symbol(word, "refused") := "F" if {
	not word in {"(", ")", "and", "or"}
	is_refused(word)
}

symbol(word, "refused") := "T" if {
	not word in {"(", ")", "and", "or"}
	not is_refused(word)
}

symbol(word, "allowed") := "T" if {
	not word in {"(", ")", "and", "or"}
	is_allowed(word)
}

symbol(word, "allowed") := "F" if {
	not word in {"(", ")", "and", "or"}
	not is_allowed(word)
}

is_refused(word) if {
	not is_allowed(word)
	parts := split(word, "~")
	some form in {word, trim_suffix(word, "+"), parts[0], trim_suffix(parts[0], "+")}
	form in refused
}

is_allowed(word) if replace(word, "~", " with ") in allowed

is_allowed(word) if {
	not contains(word, "~")
	trim_suffix(word, "+") in allowed
}

# An expression of T, F, &, | and brackets, reduced from the inside out: chains of & first, as they bind tighter, then
# brackets that hold nothing but |. Each round takes one level of brackets; what is deeper, or no expression, does not
# come down to a single letter, and a caller takes that for no.
value(text) := round(round(round(round(round(round(sprintf("(%s)", [text])))))))

round(text) := or_false if {
	and_false := regex.replace(text, `(T&)*F(&[TF])*`, "F")
	and_true := regex.replace(and_false, `T(&T)+`, "T")
	or_true := regex.replace(and_true, `\((F\|)*T(\|[TF])*\)`, "T")
	or_false := regex.replace(or_true, `\(F(\|F)*\)`, "F")
}

about(code, item, component, what) := {
	"code": code,
	"msg": sprintf("%s is %s", [label(component), what]),
	"term": [label(component)],
	"evidence": [item.digest],
}

label(component) := sprintf("%v", [object.get(component, "purl", object.get(component, "name", "(unnamed)"))])

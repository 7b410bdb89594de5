# Separation of duties: who wrote, who built, who rebuilt, and who agreed.
package pratique.duties

import rego.v1

settings := data.rule_data.duties

# METADATA
# title: The provenance names who wrote the source
# description: Whoever approves must be none of the authors, which nobody can tell where none is named. Every source among the inputs needs authors, each with an e-mail address.
# custom:
#   short_name: authors
#   severity: high
#   needs: provenance
#   solution: "Build from a git work tree: pratique build"
#   controls: [SSDF:PO.2.1, SSDF:PS.1.1]
deny contains finding if {
	some item in input.evidence.provenance
	not all_named(item)
	finding := plain("duties.authors", [item.digest], "the provenance does not name every author of the source by an e-mail address")
}

all_named(item) if {
	found := sources(item)
	count(found) > 0
	every source in found {
		count(source.annotations.authors) > 0
		every author in source.annotations.authors { contains(address(author), "@") }
	}
}

# METADATA
# title: Who wrote the source did not sign its build
# description: Whoever writes and also builds can ship what nobody else saw. The builder, and every signer of the evidence, must be no author of the source, by e-mail address, letter case and `+` suffixes aside.
# custom:
#   short_name: builder
#   severity: critical
#   needs: provenance
#   solution: Have the evidence signed by a builder of its own, not with an author's identity.
#   controls: [SSDF:PO.2.1, SSDF:PO.5.1]
deny contains finding if {
	some item in input.evidence.provenance
	some identity in signers | {item.predicate.runDetails.builder.id}
	folded(identity) in authors(item)
	finding := plain("duties.builder", [item.digest], sprintf("%s signed evidence, and is an author of the source", [identity]))
}

# METADATA
# title: Build, rebuild and scan are signed by different identities
# description: One identity that builds, repeats and judges agrees with itself. No signer of the provenance may have signed the rebuild, the bill of materials or the scan too.
# custom:
#   short_name: signers
#   severity: high
#   needs: provenance
#   solution: Give builder, rebuilder and scanner identities of their own.
#   controls: [SSDF:PO.2.1, SSDF:PO.5.1]
deny contains finding if {
	some item in input.evidence.provenance
	some short in ["rebuild", "sbom", "vulns"]
	some other in input.evidence[short]
	other.signer == item.signer
	finding := plain("duties.signers", [item.digest, other.digest], sprintf("%s signed both the provenance and the %s", [item.signer, short]))
}

# METADATA
# title: Enough people who are no authors agreed
# description: "Where the policy's roles accept approval evidence for the gate, at least `duties.approvals` distinct people must have signed one, each with a key of their own, and no author of the source counts. Approvals of a deployment come after the decision and are judged then, see docs/deploy.md."
# custom:
#   short_name: approvals
#   severity: critical
#   needs: approval
#   solution: "Have it approved by somebody who did not write it: pratique approve"
#   controls: [SSDF:PO.2.1, SSDF:PW.7.2]
deny contains finding if {
	count(input.evidence.approval) > 0
	wrote := {author | some item in input.evidence.provenance; some author in authors(item)}
	agreed := {folded(item.predicate.person) |
		some item in input.evidence.approval
		not folded(item.predicate.person) in wrote
	}
	keys := {item.signer | some item in input.evidence.approval; folded(item.predicate.person) in agreed}
	min([count(agreed), count(keys)]) < settings.approvals
	finding := plain(
		"duties.approvals",
		sort({item.digest | some item in input.evidence.approval}),
		sprintf("%d people who are no authors agreed, and %d must", [min([count(agreed), count(keys)]), settings.approvals]),
	)
}

signers := {item.signer | some short in ["provenance", "rebuild", "sbom", "vulns"]; some item in input.evidence[short]}

sources(item) := [entry |
	some entry in item.predicate.buildDefinition.resolvedDependencies
	entry.annotations.kind == "source"
]

# Names and addresses of the authors, folded.
authors(item) := {folded(part) |
	some source in sources(item)
	some author in source.annotations.authors
	parts := split(written(author), "<")
	some part in [address(author), parts[0]]
	trim_space(part) != ""
}

written(author) := author if is_string(author)

written(author) := sprintf("%v <%v>", [object.get(author, "name", ""), object.get(author, "email", "")]) if is_object(author)

address(author) := trim(parts[1], "> ") if {
	parts := split(written(author), "<")
	count(parts) > 1
}

address(author) := trim_space(written(author)) if not contains(written(author), "<")

folded(text) := regex.replace(regex.replace(lower(trim_space(trim_prefix(text, "mailto:"))), `\+[^@]*@`, "@"), `\s+`, " ")

plain(code, digests, msg) := {"code": code, "msg": msg, "term": [], "evidence": digests}

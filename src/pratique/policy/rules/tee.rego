# Hardware evidence: what a verifier made of the machine that built, as an attestation result.
package pratique.tee

import rego.v1

settings := data.rule_data.tee

# METADATA
# title: Hardware vouches for the machine that built
# description: "Where `tee.required` is true in the rule data, there must be accepted tee-result evidence. Without it the rule has nothing to say."
# custom:
#   short_name: present
#   severity: high
#   solution: Have the machine's evidence appraised by a verifier that the policy's roles name.
#   controls: [SSDF:PO.5.1, SSDF:PO.5.2]
deny contains finding if {
	settings.required
	count(object.get(input.evidence, "tee-result", [])) == 0
	finding := {
		"code": "tee.present",
		"msg": "no accepted tee-result is there",
		"term": [],
		"evidence": [],
	}
}

# METADATA
# title: The verifier affirms the machine that built
# description: "`status` must be in `tee.statuses` of the rule data, `affirming` alone unless changed; it must be about reference values named by digest, and about a kind of evidence in `tee.claims`, where that names any."
# custom:
#   short_name: affirmed
#   severity: critical
#   needs: tee-result
#   solution: Build on a machine that the verifier affirms.
#   controls: [SSDF:PO.5.1, SSDF:PO.5.2]
deny contains finding if {
	some item in input.evidence["tee-result"]
	not affirmed(item.predicate)
	finding := about("tee.affirmed", item, sprintf("the verifier's result on %v is %v", [
		object.get(item.predicate, "claims", "unnamed evidence"), object.get(item.predicate, "status", "absent"),
	]))
}

affirmed(predicate) if {
	predicate.status in settings.statuses
	regex.match(`^[0-9a-f]{64}$`, predicate.referenceValues.digest.sha256)
	expected(predicate.claims)
}

expected(_) if count(settings.claims) == 0

expected(claims) if claims in settings.claims

# METADATA
# title: The hardware's evidence was made for this build
# description: "`bound.invocationId` must be the invocation of a provenance that stands, and `bound.nonce` at least 128 bits: evidence of another build, shown again, says nothing of this one."
# custom:
#   short_name: bound
#   severity: critical
#   needs: tee-result
#   solution: Build again, with evidence asked for by this build.
#   controls: [SSDF:PO.5.2, SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence["tee-result"]
	not bound(item.predicate)
	finding := about("tee.bound", item, sprintf("the evidence was made for invocation %v, which no accepted provenance names", [
		object.get(item.predicate, ["bound", "invocationId"], "(none)"),
	]))
}

bound(predicate) if {
	regex.match(`^[0-9a-f]{32,}$`, predicate.bound.nonce)
	is_string(predicate.bound.invocationId)
	some build in input.evidence.provenance
	build.predicate.runDetails.metadata.invocationId == predicate.bound.invocationId
}

about(code, item, msg) := {"code": code, "msg": msg, "term": [], "evidence": [item.digest]}

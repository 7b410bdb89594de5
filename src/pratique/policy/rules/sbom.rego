# Software bill of materials: CycloneDX 1.6 JSON.
package pratique.sbom

import rego.v1

# METADATA
# title: The bill of materials lists components
# description: An empty list says that nobody looked. The document must be CycloneDX, with at least one component, each with a name.
# custom:
#   short_name: components
#   severity: high
#   needs: sbom
#   solution: "Scan the artifact again: pratique scan"
#   controls: [SSDF:PS.3.2, SSDF:PW.4.1]
deny contains finding if {
	some item in input.evidence.sbom
	not lists_components(item.predicate)
	finding := {
		"code": "sbom.components",
		"msg": "the bill of materials is no CycloneDX document that lists named components",
		"term": [],
		"evidence": [item.digest],
	}
}

lists_components(predicate) if {
	predicate.bomFormat == "CycloneDX"
	is_array(predicate.components)
	count(predicate.components) > 0
	every component in predicate.components {
		is_string(component.name)
		component.name != ""
	}
}

# METADATA
# title: The bill of materials names this artifact
# description: A list of another artifact's components says nothing about this one. `metadata.component` must have a name and the artifact's SHA-256 among its hashes.
# custom:
#   short_name: artifact
#   severity: high
#   needs: sbom
#   solution: "Scan this artifact: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	not names_artifact(item.predicate)
	finding := {
		"code": "sbom.artifact",
		"msg": sprintf("the bill of materials does not name sha256:%s as what it describes", [input.subject.digest.sha256]),
		"term": [],
		"evidence": [item.digest],
	}
}

names_artifact(predicate) if {
	is_string(predicate.metadata.component.name)
	some hash in predicate.metadata.component.hashes
	hash.alg == "SHA-256"
	hash.content == input.subject.digest.sha256
}

# METADATA
# title: Every component is a locked input of the build
# description: A component that the build did not take from its lock came from somewhere else. For builds by pratique each component's purl must be among the `dependency` inputs of the provenance, qualifiers aside. The project itself is excepted, as is what `sbom.unlocked` in the rule data lists.
# custom:
#   short_name: locked
#   severity: high
#   needs: sbom
#   solution: Add the component to the lock file and build again, or list its purl under sbom.unlocked in the rule data.
#   controls: [SSDF:PS.3.2, SSDF:PW.4.1, SSDF:PW.4.4]
deny contains finding if {
	some item in input.evidence.sbom
	some build in input.evidence.provenance
	startswith(build.predicate.buildDefinition.buildType, "https://pratique.dev/buildtypes/")
	expected := accounted(item.predicate, build.predicate)
	some component in item.predicate.components
	not bare(component.purl) in expected
	not normal(component.name) == normal(project_name(build.predicate))
	name := sprintf("%v", [object.get(component, "purl", object.get(component, "name", "(unnamed)"))])
	finding := {
		"code": "sbom.locked",
		"msg": sprintf("component %s is not among the locked inputs of the build", [name]),
		"term": [name],
		"evidence": [item.digest, build.digest],
	}
}

# Locked inputs, exceptions of the policy, and the project itself, which is built and not locked.
accounted(document, build) := (locked(build) | excepted) | own(document)

locked(build) := {bare(entry.uri) |
	some entry in build.buildDefinition.resolvedDependencies
	entry.annotations.kind == "dependency"
}

excepted := {bare(purl) | some purl in data.rule_data.sbom.unlocked}

own(document) := {bare(purl) | purl := document.metadata.component.purl}

project_name(build) := build.buildDefinition.externalParameters.project if {
	is_string(build.buildDefinition.externalParameters.project)
}

project_name(build) := build.buildDefinition.externalParameters.project.name if {
	is_string(build.buildDefinition.externalParameters.project.name)
}

normal(name) := regex.replace(lower(name), `[-_.]+`, "-")

bare(purl) := split(purl, "?")[0]

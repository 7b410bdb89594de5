# Bill of materials: CycloneDX JSON, with the minimum elements that CISA and its partners published in July 2026.
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
	names := [component.name | some component in predicate.components]
	count(names) == count(predicate.components)
	all_texts(names)
}

# Of two types Rego always takes the same for the greater: between the empty text and the empty list there are the other
# texts and nothing else. To compare the least and the greatest is many times faster than to ask each for its type.
all_texts(values) if {
	min(values) > ""
	max(values) < []
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
	purls := [component.purl | some component in item.predicate.components]
	others := {purl | some purl in purls} - locked_as_is(item.predicate, build.predicate)
	expected := accounted(item.predicate, build.predicate)
	strange := {purl | some purl in others; not bare(purl) in expected}
	count(purls) < count(item.predicate.components) + count(strange)
	some component in item.predicate.components
	not accounted_for(component, strange)
	not normal(component.name) == normal(project_name(build.predicate))
	name := sprintf("%v", [object.get(component, "purl", object.get(component, "name", "(unnamed)"))])
	finding := {
		"code": "sbom.locked",
		"msg": sprintf("component %s is not among the locked inputs of the build", [name]),
		"term": [name],
		"evidence": [item.digest, build.digest],
	}
}

accounted_for(component, strange) if {
	some purl in [component.purl]
	not purl in strange
}

# Most are in the bill as they are in the lock, which is seen without taking either apart.
locked_as_is(document, build) := {entry.uri |
	some entry in build.buildDefinition.resolvedDependencies
	entry.annotations.kind == "dependency"
} | {purl | purl := document.metadata.component.purl}

# METADATA
# title: The bill of materials says who made it
# description: "CISA 2026, SBOM Author. `metadata.authors`, `metadata.manufacturer` or `metadata.supplier` must name someone. The author's signature, another element, is the evidence's own: unsigned, it would not be here."
# custom:
#   short_name: author
#   severity: medium
#   needs: sbom
#   solution: "Scan the artifact again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	not names_author(item.predicate.metadata)
	finding := plain("sbom.author", item, "the bill of materials does not say who made it")
}

names_author(metadata) if is_text(metadata.manufacturer.name)

names_author(metadata) if is_text(metadata.supplier.name)

names_author(metadata) if {
	some author in metadata.authors
	is_text(author.name)
}

# METADATA
# title: The bill of materials says when it was made
# description: CISA 2026, SBOM Timestamp. `metadata.timestamp` must be an RFC 3339 time, and not after the decision.
# custom:
#   short_name: timestamp
#   severity: medium
#   needs: sbom
#   solution: "Scan the artifact again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	not dated(item.predicate.metadata.timestamp)
	finding := plain("sbom.timestamp", item, "the bill of materials gives no time, before now, at which it was made")
}

dated(text) if {
	is_string(text)
	regex.match(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`, text)
	time.parse_rfc3339_ns(text) <= time.parse_rfc3339_ns(input.effective_time)
}

# METADATA
# title: The bill of materials says which tool made it, in which version
# description: CISA 2026, SBOM Tool Name and Tool Version. At least one entry of `metadata.tools` must have both.
# custom:
#   short_name: tool
#   severity: low
#   needs: sbom
#   solution: "Scan the artifact again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	not names_tool(item.predicate.metadata.tools)
	finding := plain("sbom.tool", item, "the bill of materials does not say which tool made it, and in which version")
}

names_tool(tools) if {
	is_object(tools)
	some tool in tools.components
	is_text(tool.name)
	is_text(tool.version)
}

names_tool(tools) if {
	is_array(tools)
	some tool in tools
	is_text(tool.name)
	is_text(tool.version)
}

# METADATA
# title: The bill of materials is of a current format, and has a version of its own
# description: CISA 2026, SBOM Data Format Name and Version, and SBOM Version. `specVersion` must be in `sbom.spec_versions` of the rule data; `version` must be a number from 1 on, and `serialNumber` must be there, so that two bills of one artifact can be told apart.
# custom:
#   short_name: format
#   severity: low
#   needs: sbom
#   solution: "Scan the artifact again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	not current(item.predicate)
	finding := plain("sbom.format", item, sprintf("the bill of materials is of CycloneDX %v, version %v, serial number %v", [
		object.get(item.predicate, "specVersion", "(none)"),
		object.get(item.predicate, "version", "(none)"),
		object.get(item.predicate, "serialNumber", "(none)"),
	]))
}

current(predicate) if {
	predicate.specVersion in data.rule_data.sbom.spec_versions
	is_number(predicate.version)
	predicate.version >= 1
	is_text(predicate.serialNumber)
}

# METADATA
# title: The bill of materials says in which phase it was made
# description: "CISA 2026, SBOM Generation Context. `metadata.lifecycles` must name a phase: what is seen before a build is not what is seen after it."
# custom:
#   short_name: context
#   severity: low
#   needs: sbom
#   solution: "Scan the artifact again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	not in_phase(item.predicate.metadata)
	finding := plain("sbom.context", item, "the bill of materials does not say in which phase it was made")
}

phases := {"design", "pre-build", "build", "post-build", "operations", "discovery", "decommission"}

in_phase(metadata) if {
	some entry in metadata.lifecycles
	entry.phase in phases
}

in_phase(metadata) if {
	some entry in metadata.lifecycles
	is_text(entry.name)
}

# METADATA
# title: Enough components have a version
# description: CISA 2026, Component Version. At least `sbom.coverage.versions` percent of the components must have one.
# custom:
#   short_name: versions
#   severity: high
#   needs: sbom
#   solution: "Give the component's version in its metadata, and scan again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	finding := thin("versions", "version", item)
}

# METADATA
# title: Enough components have an identifier
# description: "CISA 2026, Component Identifiers: a purl, CPE, SWID, OmniBOR id or Software Heritage id. At least `sbom.coverage.identifiers` percent of the components must have one."
# custom:
#   short_name: identifiers
#   severity: high
#   needs: sbom
#   solution: "Scan again with a tool that writes package URLs: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	finding := thin("identifiers", "identifier", item)
}

# METADATA
# title: Enough components have a producer
# description: "CISA 2026, Component Producer: `manufacturer`, `supplier`, `publisher`, `authors` or `author`. At least `sbom.coverage.producers` percent of the components must have one."
# custom:
#   short_name: producers
#   severity: low
#   needs: sbom
#   solution: "Name the producer in the component's metadata, and scan again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	finding := thin("producers", "producer", item)
}

# METADATA
# title: Enough components have a strong hash
# description: "CISA 2026, Component Hash Value and Algorithm. MD5 and SHA-1 do not count: whoever wants can make another file with the same. At least `sbom.coverage.hashes` percent of the components must have one."
# custom:
#   short_name: hashes
#   severity: medium
#   needs: sbom
#   solution: "Scan an artifact whose lock file holds hashes: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	finding := thin("hashes", "hash", item)
}

# METADATA
# title: Enough components have a licence
# description: CISA 2026, Component License. Whether the licence may be used is for the rules on licences. At least `sbom.coverage.licences` percent of the components must have one.
# custom:
#   short_name: licences
#   severity: low
#   needs: sbom
#   solution: Find out the licence; a component of your own gets one in its metadata.
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	finding := thin("licences", "licence", item)
}

# METADATA
# title: Enough components have their dependencies stated
# description: CISA 2026, Component Dependency Relationship. A component counts if `dependencies` has an entry for its `bom-ref`, be it an empty one; the artifact itself needs one too. At least `sbom.coverage.dependencies` percent of the components must have one.
# custom:
#   short_name: dependencies
#   severity: medium
#   needs: sbom
#   solution: "Scan the artifact again: pratique scan"
#   controls: [SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.sbom
	finding := thin("dependencies", "entry among the dependencies", item)
}

thin(element, word, item) := finding if {
	not data.rule_data.levels[sprintf("sbom.%s", [element])] == "off"
	total := count(item.predicate.components)
	known := at_least(element, item.predicate)
	known < total
	known * 100 < data.rule_data.sbom.coverage[element] * total
	have := having(element, item.predicate)
	count(have) < total
	count(have) * 100 < data.rule_data.sbom.coverage[element] * total
	lacking := [label(component) | some position, component in item.predicate.components; not position in have]
	shown := array.slice(lacking, 0, 10)
	said := plain(sprintf("sbom.%s", [element]), item, sprintf("%d of %d components have no %s, and %v%% must have one: %s", [
		count(lacking), total, word, data.rule_data.sbom.coverage[element], concat(", ", shown),
	]))
	finding := object.union(said, {"locations": [{"component": name} | some name in shown; startswith(name, "pkg:")]})
}

# How many components have an element, or a lower number: a quick look, which is enough where all is well.
at_least("versions", document) := count([1 |
	some component in document.components
	component.version > ""
	component.version < []
])

at_least("identifiers", document) := count([1 |
	some component in document.components
	component.purl > ""
	component.purl < []
])

at_least("producers", document) := count([1 |
	some component in document.components
	component.supplier.name > ""
	component.supplier.name < []
])

at_least("hashes", document) := count({position |
	some position, component in document.components
	some hash in component.hashes
	not hash.alg in weak
	hash.content
}) if {
	contents := [hash.content |
		some component in document.components
		some hash in component.hashes
		not hash.alg in weak
	]
	joined := concat(",", array.concat(contents, [""]))
	regex.match(`^([0-9a-fA-F]{64,128},)*$`, joined)
	count(split(joined, ",")) == count(contents) + 1
} else := 0

at_least("licences", document) := count([1 |
	some component in document.components
	component.licenses > []
	component.licenses < {}
])

at_least("dependencies", document) := known if {
	refs := {entry.ref | some entry in document.dependencies}
	document.metadata.component["bom-ref"] in refs
	known := count([1 | some component in document.components; component["bom-ref"] in refs])
} else := 0

weak := {"MD5", "SHA-1"}

# The positions of the components that have an element. No function is called for each: there may be many thousands.
having("versions", document) := {position |
	some position, component in document.components
	is_string(component.version)
	component.version != ""
}

having("identifiers", document) := {position |
	some position, component in document.components
	count(component.purl) > 0
} | {position |
	some position, component in document.components
	not component.purl
	some key in ["cpe", "swid", "omniborId", "swhid"]
	count(component[key]) > 0
}

having("producers", document) := {position |
	some position, component in document.components
	some key in ["manufacturer", "supplier"]
	count(component[key].name) > 0
} | {position |
	some position, component in document.components
	some key in ["publisher", "author", "authors"]
	count(component[key]) > 0
}

having("hashes", document) := {position |
	some position, component in document.components
	some hash in component.hashes
	not hash.alg in weak
	regex.match(`^[0-9a-fA-F]{64,128}$`, hash.content)
}

having("licences", document) := {position |
	some position, component in document.components
	count(component.licenses) > 0
}

having("dependencies", document) := have if {
	refs := {entry.ref | some entry in document.dependencies}
	document.metadata.component["bom-ref"] in refs
	have := {position | some position, component in document.components; component["bom-ref"] in refs}
} else := set()

plain(code, item, msg) := {"code": code, "msg": msg, "term": [], "evidence": [item.digest]}

label(component) := sprintf("%v", [object.get(component, "purl", object.get(component, "name", "(unnamed)"))])

is_text(value) if {
	is_string(value)
	value != ""
}

# Locked inputs, exceptions of the policy, and the project itself, which is built and not locked.
accounted(document, build) := (locked(build) | excepted) | own(document)

locked(build) := {parts[0] |
	some entry in build.buildDefinition.resolvedDependencies
	entry.annotations.kind == "dependency"
	parts := split(entry.uri, "?")
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

# Indexing what a name holds is several times faster than indexing a call.
bare(purl) := parts[0] if parts := split(purl, "?")

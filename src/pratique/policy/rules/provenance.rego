# Build provenance: SLSA provenance v1, signed by the builder.
# Each check proves the good case and denies everything else, so a member that is absent or has another shape denies.
package pratique.provenance

import rego.v1

settings := data.rule_data.provenance

# METADATA
# title: The build ran without a network
# description: A build that can reach the network can use inputs that no record names. Looks for `internalParameters.isolation.network` to be exactly `none`. Anything else, and nothing, denies.
# custom:
#   short_name: isolated
#   severity: critical
#   needs: provenance
#   solution: "Build with: pratique build"
#   controls: [SSDF:PO.5.1, SSDF:PW.6.2]
deny contains finding if {
	some item in input.evidence.provenance
	not isolated(item.predicate)
	finding := {
		"code": "provenance.isolated",
		"msg": "the provenance does not say that the build ran without a network",
		"term": [],
		"evidence": [item.digest],
	}
}

isolated(predicate) if predicate.buildDefinition.internalParameters.isolation.network == "none"

# METADATA
# title: Every input of the build is named by digest
# description: An input without a digest can be replaced without anyone noticing. Every entry of `resolvedDependencies` needs a `sha256` or `gitCommit` of full length, and there must be at least one entry.
# custom:
#   short_name: inputs-pinned
#   severity: critical
#   needs: provenance
#   solution: "Lock the inputs with hashes and build again: pratique build"
#   controls: [SSDF:PS.3.2, SSDF:PW.4.4]
deny contains finding if {
	some item in input.evidence.provenance
	not names_inputs(item.predicate)
	finding := {
		"code": "provenance.inputs-pinned",
		"msg": "the provenance lists no inputs at all",
		"term": [],
		"evidence": [item.digest],
	}
}

deny contains finding if {
	some item in input.evidence.provenance
	not all_pinned(item.predicate)
	pinned := positions_pinned(item.predicate)
	some position, entry in item.predicate.buildDefinition.resolvedDependencies
	not position in pinned
	finding := {
		"code": "provenance.inputs-pinned",
		"msg": sprintf("input %s has no digest", [label(entry, position)]),
		"term": [label(entry, position)],
		"evidence": [item.digest],
		"locations": [{"input": label(entry, position)}],
	}
}

names_inputs(predicate) if {
	is_array(predicate.buildDefinition.resolvedDependencies)
	count(predicate.buildDefinition.resolvedDependencies) > 0
}

# Each entry has one of full length. All are looked at in one go, which costs little more than to look at one.
all_pinned(predicate) if {
	entries := predicate.buildDefinition.resolvedDependencies
	packages := [entry.digest.sha256 | some entry in entries]
	commits := [commit | some entry in entries; not entry.digest.sha256; commit := entry.digest.gitCommit]
	count(packages) + count(commits) == count(entries)
	all_sha256(packages)
	every commit in commits { regex.match(`^([0-9a-f]{40}|[0-9a-f]{64})$`, commit) }
}

# The length tells when one of the texts has a comma of its own.
all_sha256(texts) if {
	joined := concat(",", array.concat(texts, [""]))
	regex.match(`^([0-9a-f]{64},)*$`, joined)
	count(joined) == 65 * count(texts)
}

positions_pinned(predicate) := {position |
	some position, entry in predicate.buildDefinition.resolvedDependencies
	regex.match(`^[0-9a-f]{64}$`, entry.digest.sha256)
} | {position |
	some position, entry in predicate.buildDefinition.resolvedDependencies
	regex.match(`^([0-9a-f]{40}|[0-9a-f]{64})$`, entry.digest.gitCommit)
}

label(entry, position) := sprintf("%v", [object.get(entry, "name", object.get(entry, "uri", position))])

# METADATA
# title: The builder is the identity that signed, or one that is expected
# description: Who claims to have built must be who vouches for it. `runDetails.builder.id` must be the identity that signed the provenance, or be listed under `provenance.builders` in the rule data.
# custom:
#   short_name: builder
#   severity: critical
#   needs: provenance
#   solution: "Name the builder under provenance.builders in the rule data, or build with: pratique build"
#   controls: [SSDF:PO.5.1, SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.provenance
	not expected_builder(item)
	finding := {
		"code": "provenance.builder",
		"msg": sprintf("builder %v is neither the signer %s nor expected by the policy", [builder(item), item.signer]),
		"term": [sprintf("%v", [builder(item)])],
		"evidence": [item.digest],
	}
}

expected_builder(item) if item.predicate.runDetails.builder.id == item.signer

expected_builder(item) if item.predicate.runDetails.builder.id in settings.builders

builder(item) := object.get(item.predicate, ["runDetails", "builder", "id"], "(none)")

# METADATA
# title: The source was committed
# description: Uncommitted changes are in the artifact and in nobody's review. Finds each source that says `dirty`, in `externalParameters.source` or in the annotations of an entry of `resolvedDependencies`.
# custom:
#   short_name: source-clean
#   severity: high
#   needs: provenance
#   solution: "Commit or discard the changes and build again: pratique build"
#   controls: [SSDF:PS.1.1, SSDF:PW.7.2]
deny contains finding if {
	some item in input.evidence.provenance
	some entry in item.predicate.buildDefinition.resolvedDependencies
	some notes in [entry.annotations]
	not notes.kind in {"dependency", "build-tool", "toolchain", "recipe"}
	not clean(notes)
	finding := uncommitted(item, object.get(entry, "name", "source"))
}

deny contains finding if {
	some item in input.evidence.provenance
	not clean(object.get(item.predicate, ["buildDefinition", "externalParameters", "source"], {}))
	finding := uncommitted(item, "source")
}

# Clean unless it says that it is dirty; `dirty` in any shape but false says so.
clean(members) if {
	is_object(members)
	object.get(members, "dirty", false) == false
}

uncommitted(item, name) := {
	"code": "provenance.source-clean",
	"msg": sprintf("source %v had uncommitted changes when it was built", [name]),
	"term": [sprintf("%v", [name])],
	"evidence": [item.digest],
	"locations": [{"input": sprintf("%v", [name])}],
}

# METADATA
# title: The provenance names the source it was built from
# description: "Without its source nobody can review what was built, nor build it again. At least one entry of `resolvedDependencies` must be the source: of kind `source`, or with a git commit for its digest."
# custom:
#   short_name: source
#   severity: high
#   needs: provenance
#   solution: "Build from a git work tree: pratique build"
#   controls: [SSDF:PS.1.1, SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.provenance
	count(sources(item)) == 0
	finding := {
		"code": "provenance.source",
		"msg": "the provenance does not name the source among its inputs",
		"term": [],
		"evidence": [item.digest],
	}
}

sources(item) := array.concat(
	[sprintf("%v", [entry.uri]) |
		some entry in item.predicate.buildDefinition.resolvedDependencies
		entry.annotations.kind == "source"
	],
	[sprintf("%v", [entry.uri]) |
		some entry in item.predicate.buildDefinition.resolvedDependencies
		is_string(entry.digest.gitCommit)
		not entry.annotations.kind
	],
)

# METADATA
# title: The source is where the policy expects it
# description: "Where `provenance.sources` names patterns (`*` stands for any text, also across slashes), the URI of each source must match one of them: a fork builds the same name from other commits."
# custom:
#   short_name: source-expected
#   severity: critical
#   needs: provenance
#   solution: Build from the expected repository, or name this one under provenance.sources in the rule data.
#   controls: [SSDF:PS.1.1, SSDF:PW.4.1]
deny contains finding if {
	count(settings.sources) > 0
	some item in input.evidence.provenance
	some uri in array.concat(sources(item), unnamed(item))
	not expected_source(uri)
	finding := {
		"code": "provenance.source-expected",
		"msg": sprintf("source %s is not one that the policy expects", [uri]),
		"term": [uri],
		"evidence": [item.digest],
		"locations": [{"input": source} | source := uri; source != "(none)"],
	}
}

unnamed(item) := ["(none)"] if count(sources(item)) == 0

unnamed(item) := [] if count(sources(item)) > 0

expected_source(uri) if {
	some pattern in settings.sources
	glob.match(pattern, null, uri)
}

# METADATA
# title: The build could see nothing but its inputs
# description: A hermetic build cannot use what no record names. The provenance must say that the sandbox was of class `namespaces`, with a network, mount, process and user namespace of its own, no network, and a system-call filter named by digest.
# custom:
#   short_name: hermetic
#   severity: high
#   needs: provenance
#   solution: "Build with: pratique build"
#   controls: [SSDF:PO.5.1, SSDF:PW.6.2]
deny contains finding if {
	some item in input.evidence.provenance
	not hermetic(object.get(item.predicate, ["buildDefinition", "internalParameters", "isolation"], {}))
	finding := {
		"code": "provenance.hermetic",
		"msg": "the provenance does not show a hermetic build",
		"term": [],
		"evidence": [item.digest],
	}
}

hermetic(isolation) if {
	isolation["class"] == "namespaces"
	isolation.network == "none"
	every name in ["mount", "network", "pid", "user"] { name in isolation.namespaces }
	regex.match(`^(sha256:)?[0-9a-f]{64}$`, isolation.seccomp)
}

# SLSA build level: what the facts in the provenance support, by SLSA 1.2, and never more.
package pratique.slsa

import rego.v1

settings := data.rule_data.slsa

# The least level that the trust layer finds for any provenance that stands.
default vouched := 0

vouched := input.build_level if is_number(input.build_level)

# METADATA
# title: The build reaches the SLSA level that the policy asks for
# description: "Level 1: the provenance names build type, parameters from outside, builder and inputs. Level 2 also: the policy's requirements vouch for the builder as a hosted platform, and one of the identities that the vouch names signed (`vouch` in trust.toml). The embedded authority, which signs on the machine that builds, is none. Level 3 also: they vouch for level 3; and, where the build is by pratique or records its isolation, the isolation kept builds apart and signing keys were out of the build's reach (runner check SEC-16 passed). The message says what the next level lacks."
# custom:
#   short_name: level
#   severity: high
#   needs: provenance
#   solution: Build on a hosted platform, and vouch for it in the policy's requirements.
#   controls: [SSDF:PO.3.2, SSDF:PO.5.1, SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.provenance
	level := grade(item)
	level < settings.level
	finding := {
		"code": "slsa.level",
		"msg": sprintf("the build is of SLSA level %d, and level %d is asked for; lacking: %s", [
			level, settings.level, concat(", ", lacking(item, level + 1)),
		]),
		"term": [],
		"evidence": [item.digest],
	}
}

# METADATA
# title: The provenance says which run of the builder it was, and when
# description: Without an invocation nobody finds the log, and without times nobody knows what the builder was then. `runDetails.metadata` must have `invocationId`, `startedOn` and `finishedOn`, in that order and before the signature.
# custom:
#   short_name: run
#   severity: low
#   needs: provenance
#   solution: "Build with: pratique build"
#   controls: [SSDF:PO.3.3, SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.provenance
	not says_run(item)
	finding := {
		"code": "slsa.run",
		"msg": "the provenance does not say which run of the builder made the artifact, and from when to when",
		"term": [],
		"evidence": [item.digest],
	}
}

says_run(item) if {
	metadata := item.predicate.runDetails.metadata
	is_text(metadata.invocationId)
	moment(metadata.startedOn) <= moment(metadata.finishedOn)
	moment(metadata.finishedOn) <= moment(item.signed_at) + (60 * 1000000000)
}

moment(text) := time.parse_rfc3339_ns(text) if {
	is_string(text)
	regex.match(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`, text)
}

grade(item) := 3 if {
	count(lacking(item, 1)) == 0
	count(lacking(item, 2)) == 0
	count(lacking(item, 3)) == 0
} else := 2 if {
	count(lacking(item, 1)) == 0
	count(lacking(item, 2)) == 0
} else := 1 if {
	count(lacking(item, 1)) == 0
} else := 0

lacking(item, 1) := [what |
	definition := object.get(item.predicate, "buildDefinition", {})
	some what, held in {
		"a build type": is_text(object.get(definition, "buildType", "")),
		"external parameters": count(object.get(definition, "externalParameters", {})) > 0,
		"a builder": is_text(object.get(item.predicate, ["runDetails", "builder", "id"], "")),
		"inputs": count(object.get(definition, "resolvedDependencies", [])) > 0,
	}
	not held
]

lacking(_, 2) := [what |
	some what, held in {"a hosted builder that the policy vouches for": vouched >= 2}
	not held
]

lacking(item, 3) := [what |
	some what, held in {
		"a builder vouched for at level 3": vouched >= 3,
		"complete external parameters": complete(item.predicate),
		"builds apart from one another": apart(item.predicate),
		"signing keys out of the build's reach": keys_apart(item.predicate),
	}
	not held
]

default is_text(_) := false

is_text(value) if {
	is_string(value)
	value != ""
}

default complete(_) := false

complete(predicate) if {
	count(predicate.buildDefinition.externalParameters) > 0
	every entry in predicate.buildDefinition.resolvedDependencies { count(entry.digest) > 0 }
}

# Pratique records the isolation and the runner's posture; most platforms do not, and are vouched for as a whole.
records(predicate) if startswith(predicate.buildDefinition.buildType, "https://pratique.dev/buildtypes/")

records(predicate) if predicate.buildDefinition.internalParameters.isolation

default apart(_) := false

apart(predicate) if not records(predicate)

apart(predicate) if predicate.buildDefinition.internalParameters.isolation["class"] in settings.isolation

default keys_apart(_) := false

keys_apart(predicate) if not records(predicate)

keys_apart(_) if {
	results := {object.get(check, "result", "unknown") |
		some item in input.evidence["runner-posture"]
		some check in item.predicate.checks
		check.id == "SEC-16"
	}
	results == {"pass"}
}

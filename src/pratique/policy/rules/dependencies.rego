# Dependencies: where they came from, under which names, and since when they have been public.
package pratique.dependencies

import rego.v1

import data.pratique.provenance

settings := data.rule_data.dependencies

day_ns := ((24 * 60) * 60) * 1000000000

now := time.parse_rfc3339_ns(input.effective_time)

# METADATA
# title: Every dependency that was built in is pinned by SHA-256
# description: A version can be published twice, a SHA-256 cannot. Every package among the inputs of the provenance needs one of full length; weaker digests do not count.
# custom:
#   short_name: hashed
#   severity: critical
#   needs: provenance
#   solution: "Lock the dependencies with hashes and build again: pratique build fetch"
#   controls: [SSDF:PW.4.1, SSDF:PW.4.4, SSDF:PS.3.2]
deny contains finding if {
	some item in input.evidence.provenance
	not all_hashed(item.predicate)
	hashed := {position |
		some position, entry in item.predicate.buildDefinition.resolvedDependencies
		regex.match(`^[0-9a-f]{64}$`, entry.digest.sha256)
	}
	some position, entry in item.predicate.buildDefinition.resolvedDependencies
	not position in hashed
	startswith(entry.uri, "pkg:")
	finding := about("dependencies.hashed", item, entry.uri, "is not pinned by SHA-256")
}

# METADATA
# title: Every dependency is from an approved source
# description: "Where `dependencies.sources` lists patterns of package URLs (`*` stands for any text), each package must match one. A `repository_url`, `download_url` or `vcs_url` in a package URL must besides match one of `dependencies.registries`: the same name on another index is another package."
# custom:
#   short_name: source
#   severity: high
#   needs: sbom
#   solution: Take the component from an approved source, or add the source under dependencies in the rule data.
#   controls: [SSDF:PW.4.1]
deny contains finding if {
	count(settings.sources) > 0
	some item in input.evidence.sbom
	some purl in purls(item)
	not matches(purl, settings.sources)
	finding := about("dependencies.source", item, purl, "is from no approved source")
}

deny contains finding if {
	some item in input.evidence.sbom
	contains(concat(" ", [component.purl | some component in item.predicate.components]), "_url=")
	some component in item.predicate.components
	contains(component.purl, "_url=")
	purl := component.purl
	some location in locations(purl)
	not matches(location, settings.registries)
	finding := about("dependencies.source", item, purl, sprintf("is from %s, which is not an approved registry", [location]))
}

# METADATA
# title: No component is forbidden
# description: Finds each component whose package URL matches a pattern in `dependencies.forbidden` of the rule data, with or without its version.
# custom:
#   short_name: forbidden
#   severity: critical
#   needs: sbom
#   solution: Remove the component, then build and scan again.
#   controls: [SSDF:PW.4.1, SSDF:PW.4.4]
deny contains finding if {
	count(settings.forbidden) > 0
	some item in input.evidence.sbom
	some purl in purls(item)
	matches(purl, settings.forbidden)
	finding := about("dependencies.forbidden", item, purl, "is forbidden")
}

# METADATA
# title: No new component has a name that looks like a popular one's
# description: "Whoever mistypes a name may get what was put there for that. Finds each component, but the project itself, that is not in `dependencies.known` (package URLs without version, of the previous release) and whose name is one edit from one in `dependencies.popular` of the same ecosystem: a letter more, less, changed or moved, or other separators. With nothing known, nothing is compared, which `dependencies.new-unknown` says. About one real name in twenty looks like another; put it into the known ones once somebody has looked at it."
# custom:
#   short_name: lookalike
#   severity: high
#   needs: sbom
#   solution: Make sure that the name is meant, then add its package URL to dependencies.known in the rule data.
#   controls: [SSDF:PW.4.1]
deny contains finding if {
	count(known) > 0
	some item in input.evidence.sbom
	some component in new_components[item.digest]
	purl := component.purl
	some ecosystem, popular in nearby
	startswith(purl, sprintf("pkg:%s/", [ecosystem]))
	name := purl_name(purl)
	twins := sort({twin | some form in forms(normal(name)); some twin in popular[form]})
	count(twins) > 0
	not lower(name) in twins
	finding := about("dependencies.lookalike", item, purl, sprintf("is new, and its name looks like %s", [concat(" or ", twins)]))
}

# METADATA
# title: It is known which components are new
# description: Where `dependencies.known` is empty, nothing tells new components from old ones, and no name was compared with popular ones.
# custom:
#   short_name: new-unknown
#   severity: low
#   needs: sbom
#   solution: List the package URLs of the previous release, without versions, under dependencies.known in the rule data.
#   controls: [SSDF:PW.4.1]
deny contains finding if {
	count(known) == 0
	some item in input.evidence.sbom
	finding := {
		"code": "dependencies.new-unknown",
		"msg": "nothing says which components are new, so no name was compared with popular ones",
		"term": [],
		"evidence": [item.digest],
	}
}

# METADATA
# title: Every new component has been public for long enough
# description: "Most malicious packages are found within days. Finds each component, but the project itself, that is not in `dependencies.known` and was published less than `dependencies.min_age_days` before the decision, by its `pratique:published` property or the table `dependencies.published` (by package URL, RFC 3339)."
# custom:
#   short_name: cooldown
#   severity: high
#   needs: sbom
#   solution: Wait, or take an earlier version.
#   controls: [SSDF:PW.4.1, SSDF:PW.4.4]
deny contains finding if {
	settings.min_age_days > 0
	some item in input.evidence.sbom
	some component in new_components[item.digest]
	some published in dates(component)
	now - published < settings.min_age_days * day_ns
	finding := about("dependencies.cooldown", item, component.purl, sprintf("is new, and was published less than %d days ago", [settings.min_age_days]))
}

# METADATA
# title: It is known since when every new component has been public
# description: Where neither the bill of materials nor the rule data says when a component that is not in `dependencies.known` was published, nothing can be said of its age. One finding counts them.
# custom:
#   short_name: age-unknown
#   severity: low
#   needs: sbom
#   solution: Give the dates under dependencies.published in the rule data, or the components under dependencies.known.
#   controls: [SSDF:PW.4.1]
deny contains finding if {
	settings.min_age_days > 0
	some item in input.evidence.sbom
	unknown := [component.purl | some component in new_components[item.digest]; count(dates(component)) == 0]
	count(unknown) > 0
	finding := {
		"code": "dependencies.age-unknown",
		"msg": sprintf("nothing says when %d new components were published: %s", [
			count(unknown), concat(", ", array.slice(unknown, 0, 10)),
		]),
		"term": [],
		"evidence": [item.digest],
		"locations": [{"component": purl} | some purl in array.slice(unknown, 0, 10)],
	}
}

known := {bare(purl) | some purl in settings.known}

# By the digest of the bill of materials. The project itself, which that names as what it describes, is built and not
# taken from anywhere.
new_components[item.digest] := components if {
	some item in input.evidence.sbom
	own := object.get(item.predicate, ["metadata", "component", "purl"], "")
	components := [component |
		some component in item.predicate.components
		is_string(component.purl)
		component.purl != own
		parts := split(component.purl, "?")
		named := split(parts[0], "@")
		not named[0] in known
	]
}

all_hashed(predicate) if {
	entries := predicate.buildDefinition.resolvedDependencies
	provenance.all_sha256([entry.digest.sha256 | some entry in entries])
	count([1 | some entry in entries; not entry.digest.sha256; startswith(entry.uri, "pkg:")]) == 0
}

dates(component) := {moment(text) |
	some text in array.concat(
		[property.value | some property in component.properties; property.name == "pratique:published"],
		[text | parts := split(component.purl, "?"); text := settings.published[parts[0]]],
	)
}

moment(text) := time.parse_rfc3339_ns(text) if {
	is_string(text)
	regex.match(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`, text)
}

purls(item) := {component.purl |
	some component in item.predicate.components
	is_string(component.purl)
}

matches(text, patterns) if {
	some pattern in patterns
	glob.match(pattern, null, text)
}

locations(purl) := {replace(replace(pair[1], "%2F", "/"), "%3A", ":") |
	some qualifier in split(split(split(purl, "?")[1], "#")[0], "&")
	pair := split(qualifier, "=")
	pair[0] in {"repository_url", "download_url", "vcs_url"}
}

# Without qualifiers and version.
bare(purl) := named[0] if {
	parts := split(purl, "?")
	named := split(parts[0], "@")
}

purl_name(purl) := parts[count(parts) - 1] if parts := split(bare(purl), "/")

normal(name) := regex.replace(lower(name), `[-_.]+`, "")

# By ecosystem, each popular name under itself and under all its forms with one letter less. Two names that are one edit
# apart share such a form.
nearby[ecosystem][form] contains name if {
	some ecosystem, listed in settings.popular
	some name in listed
	some form in forms(normal(name))
}

forms(name) := {name} | {concat("", [substring(name, 0, at), substring(name, at + 1, -1)]) |
	count(name) > 3
	some at in numbers.range(0, count(name) - 1)
}

about(code, item, purl, what) := {
	"code": code,
	"msg": sprintf("%s %s", [purl, what]),
	"term": [purl],
	"evidence": [item.digest],
}

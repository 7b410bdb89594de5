# What scans found, as in-toto vulns v0.2 has it, worked out once for the rules on vulnerabilities and on VEX.
package pratique.findings

import rego.v1

ranks := {"critical": 4, "high": 3, "medium": 2, "low": 1}

words := {4: "critical", 3: "high", 2: "medium", 1: "low", 0: "not stated"}

# What is known of each result, worked out once, by its position among all. Every member has a value for every shape that
# an object can have; a result that is none is an error, and denies.
facts := {position: fact |
	some position, pair in results
	result := pair[1]
	grades := {grade | is_array(result.severity); some rating in result.severity; grade := score_ranks[rating.score]}
	notes := [note | some note in result.annotations; is_object(note)]
	id := sprintf("%v", [object.get(result, "id", "(unnamed)")])
	fact := {
		"position": position,
		"evidence": pair[0],
		"id": id,
		"purl": first([sprintf("%v", [note.purl]) | some note in notes; note.purl]),
		"stated": max(grades | {0}),
		"rank": gravity[max(grades | {0})],
		"notes": notes,
		"ids": {id} | {alias | some note in notes; some alias in note.aliases},
	}
}

results := [[item.digest, result] |
	some item in input.evidence.vulns
	some result in item.predicate.scanner.result
]

# By the gravest rank that any rating gives; where none can be read (0), as high.
gravity := {0: 3, 1: 1, 2: 2, 3: 3, 4: 4}

# Each different score once.
score_ranks := {score: found |
	scores := {rating.score |
		some pair in results
		is_array(pair[1].severity)
		some rating in pair[1].severity
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

first(list) := min(list) if count(list) > 0

first(list) := "an unnamed component" if count(list) == 0

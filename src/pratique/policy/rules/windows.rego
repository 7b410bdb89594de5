# Deployment windows: when a decision may let anything pass, in UTC, at the decision's effective time.
package pratique.windows

import rego.v1

settings := data.rule_data.windows

now := time.parse_rfc3339_ns(input.effective_time)

day_ns := ((24 * 60) * 60) * 1000000000

days := ["thu", "fri", "sat", "sun", "mon", "tue", "wed"]

# Day 0 of the count was a Thursday.
today := days[floor((now - (now % day_ns)) / day_ns) % 7]

# The gate writes the effective time in UTC; HH:MM compares as text as it does as time.
clock := substring(input.effective_time, 11, 5)

# METADATA
# title: It is a time at which deployments are expected
# description: "Where `windows.open` in the rule data lists any windows (`days`, `begins` and `ends` as HH:MM in UTC, `ends` not included), the effective time must lie in one of them. A window that would cross midnight is written as two. Whoever decides again later decides at that time."
# custom:
#   short_name: open
#   severity: medium
#   solution: Wait for the next window, or decide again when it opens.
#   controls: [SSDF:PO.1.1]
deny contains finding if {
	count(settings.open) > 0
	not is_open
	finding := {
		"code": "windows.open",
		"msg": sprintf("%s (%s, UTC) is in none of the deployment windows", [input.effective_time, today]),
		"term": [],
		"evidence": [],
	}
}

is_open if {
	some window in settings.open
	today in window.days
	window.begins <= clock
	clock < window.ends
}

# METADATA
# title: No freeze is in force
# description: "Where `windows.freezes` in the rule data lists any (`begins` and `ends` as RFC 3339 times, `ends` not included, and a `reason`), the effective time must lie in none of them."
# custom:
#   short_name: freeze
#   severity: high
#   solution: Wait until the freeze is over, or take it out of the rule data.
#   controls: [SSDF:PO.1.1]
deny contains finding if {
	some freeze in settings.freezes
	time.parse_rfc3339_ns(freeze.begins) <= now
	now < time.parse_rfc3339_ns(freeze.ends)
	finding := {
		"code": "windows.freeze",
		"msg": sprintf("nothing passes from %s to %s: %s", [freeze.begins, freeze.ends, freeze.reason]),
		"term": [freeze.begins],
		"evidence": [],
	}
}

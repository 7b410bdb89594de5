"""Policy over verified evidence: what is owed and by whom, Rego, and the decision."""

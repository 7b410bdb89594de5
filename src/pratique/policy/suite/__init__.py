"""Working on a policy: its source folder, what can be known of it without evidence, its tests."""

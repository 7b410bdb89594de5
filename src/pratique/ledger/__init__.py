"""What runs where, and why: projections of the deployment records in the journal."""

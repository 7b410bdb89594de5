"""How a policy travels: what its release says, and which releases a project accepts."""

"""What rule authors write: sources, METADATA, and the conventions of Conftest and Conforma."""

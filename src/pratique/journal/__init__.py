"""The journal: a transparency log over content-addressed evidence, and its index. The truth of the house."""

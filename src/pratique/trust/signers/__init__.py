"""Signers behind one interface, chosen by URI (`table`); nothing is imported before it is used."""

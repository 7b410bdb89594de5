"""The checks, by subject; `table.py` lists them all."""

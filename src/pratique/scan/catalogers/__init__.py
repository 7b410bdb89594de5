"""One module for each kind of package record; `table` lists them all."""

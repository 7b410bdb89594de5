"""`pratique image check`: what is wrong with an image, found in its configuration, layers and history.

`gather` reads the layers once, as a stream; `rules/` are pure functions over what it found; `table` lists
them.
"""

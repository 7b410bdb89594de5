"""The rules, by what they look at; the table in `pratique.image.check.table` is the only list of them."""

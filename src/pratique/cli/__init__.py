"""The command line: parsing, rendering, exit codes. No decisions are made here."""

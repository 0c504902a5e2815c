"""Studies: one file a table or figure group of a paper."""

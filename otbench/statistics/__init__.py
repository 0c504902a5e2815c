"""Statistics over seeds, data sets and raters: pure functions of arrays, with no knowledge of runs."""

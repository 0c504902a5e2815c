"""Sets of points, one file a family; a file registers itself by its `NAMES`."""

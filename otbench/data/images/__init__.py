"""Sets of images, one file a family; a file registers itself by its `NAMES`."""

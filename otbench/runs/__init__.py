"""A run on disk: its layout, its cells, and what gathers, checks, repeats and archives them."""

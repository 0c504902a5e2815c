"""Models for images: one file each."""

"""Features of images: the networks that see them, and the folder that keeps the real images' features of a data set."""

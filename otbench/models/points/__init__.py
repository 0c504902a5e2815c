"""Models of points in the plane, one file a model."""

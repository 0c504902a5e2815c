"""What models of points share."""

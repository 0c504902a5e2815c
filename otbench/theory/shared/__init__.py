"""What studies of the theory share."""

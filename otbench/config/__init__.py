"""What a run is: its config, read from YAML and validated."""

"""What every layer may use: files, locks, devices, processes, progress."""

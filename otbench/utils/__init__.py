"""Helpers that every layer may use: files, locks, devices, processes, progress."""

"""Stages, replicas, checkpoints, snapshots and logs."""

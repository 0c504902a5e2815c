"""Benchmark of generative models seen through optimal transport."""

__version__ = "0.2.0"

"""Threads of the libraries of linear algebra, and the modules that load these libraries."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

MODULES = ("torch", "pandas", "safetensors.torch", "sklearn.cluster", "scipy.stats", "scipy.linalg", "otbench.cli.app")


#: environment variables with the number of threads of the libraries of linear algebra
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit every library of linear algebra to one thread, as each job of a run has (`threads: 1`).

    Yields:
        Nothing.
    """
    from threadpoolctl import threadpool_limits

    for name in MODULES:  # a library that is loaded later would not know
        importlib.import_module(name)
    with threadpool_limits(1):
        yield


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit PyTorch to one CPU thread, so that sums have one order.

    Yields:
        Nothing.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

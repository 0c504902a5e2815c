# syntax=docker/dockerfile:1
# The environment of requirements.lock with otbench in it; see docs/clusters.md.
# The base is that of the lock file: Python 3.11. PyTorch's wheels bring CUDA along; a GPU needs the host's driver alone.
FROM python:3.11-slim-bookworm

# for packages that come as sources, and for the loops of the transport solver, compiled at first use
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc g++ \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/otbench
COPY requirements.lock pyproject.toml setup.py README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY Snakefile ./
COPY otbench otbench
COPY workflow workflow
COPY profiles profiles
COPY config config
COPY results/reference results/reference
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# The run itself stands outside: mount a folder here, and write to it as yourself (--user). In a clone of the repository
# `snakemake` runs the clone's workflow; in any other folder `otbench run` runs the one that was installed.
# That user is nobody in here, and Snakemake asks for a name.
ENV HOME=/tmp USER=otbench MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
CMD ["snakemake", "--cores", "all"]

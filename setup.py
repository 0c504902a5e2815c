"""What pyproject.toml cannot say: a wheel brings workflow, configs, profiles and tables along, in otbench/benchmark."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
#: of the repository, what a run needs beside the package, with the files of each
BROUGHT = {
    ".": ("Snakefile",),
    "workflow": ("**/*",),
    "profiles": ("**/*",),
    "config": ("**/*",),
    "results/reference": ("config.json", "metrics.parquet", "run.json", "scatter.npz"),
}


class BuildWithWorkflow(build_py):
    """Copies the benchmark's files beside the modules; a run from a clone finds them in the clone."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        for folder, patterns in BROUGHT.items():
            for file in (file for pattern in patterns for file in sorted((HERE / folder).glob(pattern))):
                if file.is_file() and "__pycache__" not in file.parts:
                    target = Path(self.build_lib) / "otbench" / "benchmark" / file.relative_to(HERE)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, target)


setup(cmdclass={"build_py": BuildWithWorkflow})

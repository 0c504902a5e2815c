# The run that the config describes, checked, and what every rule needs of it.
import json

from otbench import catalogue
from otbench.config import checked
from otbench.errors import OtbenchError
from snakemake.exceptions import WorkflowError

try:
    RUN = checked(config)
except OtbenchError as error:
    raise WorkflowError(str(error)) from None

FOLDER = str(RUN.folder)

# Snakemake caps `gpu` only where a limit is given; one job at a time is the safe default on one machine.
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 1)


# One environment for all rules, made from requirements.lock; ignored unless containers are asked for.
container: "docker://python:3.11"


wildcard_constraints:
    dataset="[a-z0-9-]+",
    model="[a-z0-9-]+",

# The benchmark as a workflow: data -> fit -> draw -> measure -> gather -> report (see README.md).
from snakemake.utils import min_version

min_version("9.20")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        f"{FOLDER}/report.html",


# One process imports PyTorch for all jobs of this machine; elsewhere, and in containers, each imports its own.
onstart:
    if workflow.local_exec and not workflow.deployment_settings.deployment_method:
        warm.start(os.getpid())

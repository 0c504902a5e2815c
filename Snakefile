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

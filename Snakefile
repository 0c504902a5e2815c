# The benchmark as a workflow: data -> fit -> draw -> measure -> gather -> report (see README.md).
from snakemake.utils import min_version

min_version("9.20")


# where this file is: the workflow may be called from another folder, or be another's module
SOURCES = str(workflow.current_basedir)


configfile: f"{SOURCES}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        AT.report,
        AT.complete,


# Where a job failed for good, the report is rendered from what there is, and counts the rest as missing.
onerror:
    if exists(AT.config) and not (fresh(AT.report) or fresh(AT.log("verdict"))):
        shell(
            f"otbench gather {quote(FOLDER)} && otbench report {quote(FOLDER)} --published {quote(PUBLISHED_TABLE)}"
            f" {reference_option()} && otbench status {quote(FOLDER)} --config {CONFIG} || true"
        )


# One run at a time in a folder; Snakemake's own lock would outlive a run that was killed.
# Jobs on this machine end with the run, and one process imports PyTorch for them all; elsewhere each imports its own.
onstart:
    try:
        locks.acquire(FOLDER)
    except OtbenchError as error:
        raise WorkflowError(str(error)) from None
    if workflow.local_exec and not workflow.deployment_settings.deployment_method:
        os.environ[server.PARENT] = str(os.getpid())
        server.start(os.getpid())

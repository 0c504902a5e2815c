# What happens before the first job of a run and after a failure.


def begin():
    """Lock the run's folder, and start the process that imports PyTorch for all jobs.

    One run at a time in a folder; Snakemake's own lock would outlive a run that was killed. Jobs on this machine end with
    the run, and one process imports PyTorch for them all; elsewhere each imports its own.
    """
    try:
        locks.acquire(FOLDER)
    except OtbenchError as error:
        raise WorkflowError(str(error)) from None
    if workflow.local_exec and not workflow.deployment_settings.deployment_method and server.VARIABLE not in os.environ:
        os.environ[server.PARENT] = str(os.getpid())
        server.start(os.getpid())


def report_what_there_is():
    """Where a job failed for good, render the report from what there is; it counts the rest as missing."""
    if exists(WHERE.config) and not (fresh(WHERE.report) or fresh(WHERE.log("verdict"))):
        shell(
            f"otbench gather {quote(FOLDER)} && otbench report {quote(FOLDER)} --published {quote(PUBLISHED_TABLE)}"
            f" {reference_option()} && otbench status {quote(FOLDER)} --config {CONFIG} || true"
        )


def both(first, then):
    """A hook that does what two do."""

    def hook(log):
        first()
        then(log)

    return hook


# Snakemake calls the hooks of the main Snakefile alone. Where this one is another's module, its hooks come before that
# one's; a module is read again for every `use rule`, and hooks in once.
if not workflow.modifier.is_main_snakefile() and FOLDER not in (
    hooked := workflow.__dict__.setdefault("hooked", set())
):
    hooked.add(FOLDER)
    workflow._onstart = both(begin, workflow._onstart)
    workflow._onerror = both(report_what_there_is, workflow._onerror)

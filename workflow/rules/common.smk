# The run that the config describes, checked, and what every rule needs of it.
import json
import os
import shlex
import re
import time
from pathlib import Path
from shlex import quote

from otbench import fingerprints
from otbench.cli import server
from otbench.commands import feature_words, fit_options, weight_words
from otbench.data import roots
from otbench.data.roots import FOLDER as FOLDER_OF_IMAGES
from otbench.errors import OtbenchError
from otbench.registry import ON_CPU
from otbench.config.run import PLAIN
from otbench.runs import stale
from otbench.runs.check import check_reference, checked
from otbench.runs.layout import layout
from otbench.runs.on_disk import SMALL
from otbench.utils import locks
from otbench.utils.paths import PUBLISHED, REFERENCE
from otbench.utils.records import file_digest
from snakemake.exceptions import WorkflowError


def moved(path):
    """Where a folder that rules name lies on disk: below the prefix of the module that this workflow may be."""
    return os.path.normpath(workflow.modifier.path_modifier.replace_prefix(f"{path}/"))


try:
    # a job on a cluster reads all this again, several times: the options were checked where the run was started
    RUN = checked(config, options=workflow.is_main_process)
    RUN.stay_inside(said=workflow.config_settings.config)
    check_reference(RUN)
except OtbenchError as error:
    raise WorkflowError(str(error)) from None

# Every path of the run as a rule names it, with wildcards in place of names. A module's `prefix` or `replace_prefix`
# moves what rules name, and the run says where it is: WHERE has the paths on disk.
AT = layout(RUN)
RUN = RUN.model_copy(update={"results": moved(RUN.results)})
FOLDER, WHERE = str(RUN.folder), layout(RUN)

# What is on disk and not what this config asks for is made again, whatever times the files have and whatever is left of
# Snakemake's records; jobs on a cluster are told by the call that started them.
CONFIG = stale.config_digest(RUN)
STALE = {str(path): reason for path, reason in stale.to_make(RUN).items()} if workflow.is_main_process else {}
# The tables that come with the workflow, where it is called from another folder that has none.
PUBLISHED_TABLE, REFERENCE_FOLDER = RUN.published, RUN.reference
if RUN.published == PUBLISHED and not exists(PUBLISHED):
    PUBLISHED_TABLE = str(Path(SOURCES) / PUBLISHED)
if RUN.reference == REFERENCE and not exists(REFERENCE) and exists(Path(SOURCES) / REFERENCE):
    REFERENCE_FOLDER = str(Path(SOURCES) / REFERENCE)
if not all(re.fullmatch(PLAIN, path) for path in (PUBLISHED_TABLE, REFERENCE_FOLDER)):
    raise WorkflowError(f"the folder of the workflow, {SOURCES}, has a name that a shell would read otherwise")

STARTED = time.time()


def fresh(path):
    """Whether a file was made in this call of Snakemake."""
    return exists(path) and os.path.getmtime(path) >= STARTED


# Snakemake caps `gpu` only where a limit is given; one job at a time is the safe default on one machine.
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 1)


# One environment for all rules, made from requirements.lock (docs/clusters.md); ignored unless containers are asked for.
container: os.environ.get("OTBENCH_CONTAINER", "otbench.sif")


wildcard_constraints:
    dataset="[a-z0-9-]+",
    model="[a-z0-9-]+",
    space="wide|narrow|again",
    trials="[0-9]+-[0-9]+",
    seeds="[0-9-]+",
    theory="[a-z0-9-]+",


def refresh(path):
    """The path, an input; Snakemake asks for it while it plans, and is told what is stale then."""
    if STALE:
        workflow.dag.forcefiles.update(STALE)
    return path


def root_option():
    """Where image files are, and whether others than the publisher's are taken, as options."""
    return (f"--root {quote(RUN.data_root)}" if RUN.data_root else "") + " --unverified" * RUN.unverified


def reference_option():
    """Where the reference results are, as an option; nothing where the config leaves it at the default."""
    return "" if REFERENCE_FOLDER == REFERENCE else f"--reference {REFERENCE_FOLDER}"


def source_of(dataset):
    """What `otbench data` is asked for: a known name, or a folder of images."""
    folders = RUN.section(dataset).folders if dataset in RUN.study_of else {}
    return roots.source_of(dataset, folders)


def contents_of(dataset):
    """What changes where the pictures of a folder do; nothing for other data sets."""
    source = source_of(dataset)
    if not source.startswith(FOLDER_OF_IMAGES):
        return ""
    from otbench.data.images import folder

    return folder.contents(source.removeprefix(FOLDER_OF_IMAGES))


def state_of(path):
    """What changes where a file outside the run does; nothing where there is no path.

    Of a small file it is its content, so that a copy counts as the same; of a large one its size and time of change.
    """
    if not path or not os.path.isfile(path):
        return "missing" if path else ""
    status = os.stat(path)
    return file_digest(path) if status.st_size <= SMALL else f"{status.st_size} {status.st_mtime_ns}"


def weights_state(dataset):
    """The state of the files of weights that the config names; nothing where it names none."""
    return " ".join(state_of(path) for path in RUN.section(dataset).network_weights.values())


def mesh_state(theory):
    """The state of the mesh that the config names for a study of the theory; nothing where it names none."""
    return state_of(RUN.theories[theory].mesh)


def reference_state():
    """The state of the table of the reference results, which the report compares with."""
    return state_of(Path(REFERENCE_FOLDER) / "metrics.parquet")


def features_of(dataset):
    """The file that says which features the data set's images are compared in; none for points."""
    return [AT.feature_info(dataset)] if RUN.kind(dataset) == "images" else []


def weights_option(dataset):
    """Where weights of feature networks are, as options; nothing where those at hand are taken."""
    words = weight_words(RUN.section(dataset).network_weights)
    return f" {shlex.join(words)}" if words else ""


def features_option(dataset):
    """What `otbench measure` needs to compare images; nothing for points."""
    if not features_of(dataset):
        return ""
    weights = RUN.section(dataset).network_weights
    return shlex.join(feature_words(WHERE.features(dataset), RUN.device, weights))


def extractors_of(dataset):
    """The options of `otbench features` that name the networks."""
    names = " ".join(f"--extractor {name}" for name in RUN.section(dataset).features)
    return f"{names}{weights_option(dataset)}"


def training_options(dataset, model):
    """What `otbench fit` gets beside data, seeds and folder: the same for every part of a model's seeds."""
    section = RUN.section(dataset)
    return shlex.join(
        fit_options(
            section.steps,
            section.marks,
            section.options(model, dataset),
            RUN.device,
            RUN.together_of(dataset),
            RUN.precision,
            RUN.capture,
            RUN.deterministic,
            RUN.time_limit,
        )
    )


def latent_of():
    """The latent study of every image data set on which AE-OT is trained."""
    return [AT.latent(dataset) for dataset in RUN.latents]


def metrics_of():
    """The metrics of every model and guest on every data set."""
    return [AT.metrics(dataset, model) for dataset, model in RUN.measured]


def rulers_option(dataset):
    """The metrics on request that the study asks for, as options."""
    return " ".join(f"--ruler {quote(name)}" for name in RUN.section(dataset).rulers)


def guest_names():
    """The names of all guests as a pattern; one that no name fits where there are none."""
    return "|".join(sorted({re.escape(name) for _, name in RUN.guests})) or "no_guest"


def guest_files(dataset, guest):
    """Where somebody's samples are: files and folders."""
    return RUN.section(dataset).guests_on(dataset)[guest]


def guest_options(dataset, guest):
    """Somebody's samples as options, a seed each."""
    return " ".join(f"--samples {quote(path)}" for path in guest_files(dataset, guest))


def guest_contents(dataset, guest):
    """What changes where somebody's samples do."""
    from otbench.data.images import folder

    return " ".join(
        folder.contents(path) if os.path.isdir(path) else state_of(path) for path in guest_files(dataset, guest)
    )


def searches_of():
    """The trials of every search."""
    return [AT.search(dataset, model, space, trials) for dataset, model, space, trials in RUN.searches]


def found_for(dataset, model, space):
    """The tables of the search whose best trial is trained again; none for the search itself."""
    return [AT.search(*job) for job in RUN.section(dataset).search.found(dataset, model)] if space == "again" else []


def searched():
    """The table of all searches, where the run has any."""
    return {"search": AT.searches} if RUN.searches else {}


def spread_of():
    """The repeated measurements of every model that they are asked of."""
    return [AT.spread(dataset, model) for dataset, model in RUN.spreads]


def spread_options(dataset):
    """What `otbench spread` gets, as options."""
    section = RUN.section(dataset)
    asked = section.spread
    metrics = "".join(f" --metric {name}" for name in asked.metrics or ())
    known = f" --features {WHERE.features(dataset)}{weights_option(dataset)}" if features_of(dataset) else ""
    return (
        f"--n {section.samples} --draws {asked.draws} --subsets {asked.subsets}{metrics}{known} --device {RUN.device}"
    )


def sessions_of():
    """The rating session of every data set that has one."""
    return [AT.ratings(dataset) / "key.json" for dataset in RUN.rated]


def answers_of():
    """What raters answered so far: files that `otbench rate import` writes, inputs once they are there."""
    return [AT.ratings(name) / "answers.csv" for name in RUN.rated if exists(WHERE.ratings(name) / "answers.csv")]


def rating_options(dataset):
    """What `otbench rate sheet` gets, as options."""
    section = RUN.section(dataset)
    asked = section.rating
    along = "".join(f" --along {model}" for model in asked.along if model in section.rated)
    return (
        f"--per-cell {asked.per_cell} --real {asked.real} --checks {asked.checks} --repeats {asked.repeats}"
        f" --seed {asked.seed}{along}"
    )


def theories_of():
    """What the studies of the theory find."""
    return [AT.theory(name) for name in RUN.theories]


def device_of(theory):
    """Where a study of the theory is computed."""
    return "cpu" if theory in ON_CPU else RUN.device


def search_options(dataset):
    """What every trial of the search on a data set gets, as options."""
    search = RUN.section(dataset).search
    snapshots = ",".join(map(str, search.snapshots))
    return (
        f"--steps {search.steps} --snapshots {snapshots} --samples {search.samples} --seed {search.seed}"
        f" --options {quote(json.dumps(search.set, sort_keys=True))} --device {RUN.device}{weights_option(dataset)}"
    )


def weights_of(folder):
    """The weights of a fit, the largest of its files; of a lean run they go once all that reads them is done."""
    path = f"{folder}/weights.safetensors"
    return temp(path) if RUN.lean else path


def parts_of(wildcards, file):
    """A file of every part that a model's seeds are trained in."""
    folder = AT.fit(wildcards.dataset, wildcards.model)
    return [f"{folder}/part-{seeds}/{file}" for seeds in RUN.seed_groups(wildcards.dataset)]

# From data sets to samples and their metrics: one job has all seeds and snapshots of a model on a data set.


rule data:
    output:
        AT.data("{dataset}"),
    log:
        AT.log("data/{dataset}"),
    threads: 1
    params:
        code=fingerprints.data_version(),
        source=lambda wildcards: source_of(wildcards.dataset),
        contents=lambda wildcards: contents_of(wildcards.dataset),
        root=lambda wildcards: root_option(),
    shell:
        "otbench data {params.source:q} --name {wildcards.dataset} {params.root} --out {output} > {log} 2>&1"


# Images are compared in the features of a network: here it is trained, or read, and the real images' features are kept.
rule features:
    input:
        AT.data("{dataset}"),
    output:
        AT.feature_info("{dataset}"),
    log:
        AT.log("features/{dataset}"),
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda"),
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        folder=subpath(output[0], parent=True),
        code=fingerprints.features_version(),
        which=lambda wildcards: extractors_of(wildcards.dataset),
        weights=lambda wildcards: weights_state(wildcards.dataset),
        device=RUN.device,
    shell:
        "otbench features --data {input} --out {params.folder} {params.which} --device {params.device} > {log} 2>&1"


rule fit:
    input:
        lambda wildcards: refresh(AT.data(wildcards.dataset)),
    output:
        summary=AT.fit_summary("{dataset}", "{model}"),
        weights=weights_of(AT.fit("{dataset}", "{model}")),
        losses=AT.losses("{dataset}", "{model}"),
    log:
        AT.log("fit/{dataset}/{model}"),
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda"),
        runtime=lambda wildcards, attempt: 240 * attempt,
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        # the folder is no declared output: a resumable checkpoint inside it survives a failed job
        out=subpath(output.summary, parent=True),
        code=lambda wildcards: fingerprints.fit_version(wildcards.model, RUN.kind(wildcards.dataset)),
        seeds=lambda wildcards: ",".join(map(str, RUN.seeds_of(wildcards.dataset))),
        training=lambda wildcards: training_options(wildcards.dataset, wildcards.model),
    shell:
        "otbench fit {wildcards.model} --data {input} --out {params.out} --seeds {params.seeds} {params.training}"
        " > {log} 2>&1"


# Where a job trains some of the seeds (`seeds_per_job`), the same of those, and then all of them in one folder.
use rule fit as fit_part with:
    output:
        summary=AT.part("{dataset}", "{model}", "{seeds}") / "fit.json",
        weights=weights_of(AT.part("{dataset}", "{model}", "{seeds}")),
        losses=AT.part("{dataset}", "{model}", "{seeds}") / "losses.csv",
    log:
        AT.log("fit/{dataset}/{model}/{seeds}"),
    params:
        out=subpath(output.summary, parent=True),
        code=lambda wildcards: fingerprints.fit_version(wildcards.model, RUN.kind(wildcards.dataset)),
        seeds=lambda wildcards: wildcards.seeds.replace("-", ","),
        training=lambda wildcards: training_options(wildcards.dataset, wildcards.model),


rule join:
    input:
        summaries=lambda wildcards: parts_of(wildcards, "fit.json"),
        weights=lambda wildcards: parts_of(wildcards, "weights.safetensors"),
    output:
        summary=AT.fit_summary("{dataset}", "{model}"),
        weights=weights_of(AT.fit("{dataset}", "{model}")),
        losses=AT.losses("{dataset}", "{model}"),
    log:
        AT.log("join/{dataset}/{model}"),
    threads: 1
    params:
        folders=lambda wildcards, input: " ".join(str(Path(path).parent) for path in input.summaries),
        out=subpath(output.summary, parent=True),
    shell:
        "otbench join {params.folders} --out {params.out} > {log} 2>&1"


if RUN.seeds_per_job:

    ruleorder: join > fit

else:

    ruleorder: fit > join


rule draw:
    input:
        data=AT.data("{dataset}"),
        summary=AT.fit_summary("{dataset}", "{model}"),
        weights=AT.weights("{dataset}", "{model}"),
    output:
        AT.samples("{dataset}", "{model}"),
    log:
        AT.log("draw/{dataset}/{model}"),
    threads: 1
    params:
        fit=subpath(input.summary, parent=True),
        code=lambda wildcards: fingerprints.fit_version(wildcards.model, RUN.kind(wildcards.dataset)),
        n=lambda wildcards: RUN.section(wildcards.dataset).samples,
    shell:
        "otbench draw --fit {params.fit} --data {input.data} --n {params.n} --out {output} > {log} 2>&1"


# Somebody's samples, taken in as a model's: nothing is trained for them.
rule admit:
    input:
        data=AT.data("{dataset}"),
        samples=lambda wildcards: guest_files(wildcards.dataset, wildcards.model),
    output:
        AT.samples("{dataset}", "{model}"),
    log:
        AT.log("admit/{dataset}/{model}"),
    wildcard_constraints:
        model=guest_names(),
    threads: 1
    params:
        code=fingerprints.data_version(),
        contents=lambda wildcards: guest_contents(wildcards.dataset, wildcards.model),
        samples=lambda wildcards: guest_options(wildcards.dataset, wildcards.model),
        n=lambda wildcards: RUN.section(wildcards.dataset).samples,
    shell:
        "otbench admit {wildcards.model} {params.samples} --data {input.data} --n {params.n} --out {output}"
        " > {log} 2>&1"


ruleorder: admit > draw


rule measure:
    input:
        data=AT.data("{dataset}"),
        samples=AT.samples("{dataset}", "{model}"),
        features=lambda wildcards: features_of(wildcards.dataset),
    output:
        table=AT.metrics("{dataset}", "{model}"),
        curves=AT.curves("{dataset}", "{model}"),
    log:
        AT.log("measure/{dataset}/{model}"),
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda" and RUN.kind(wildcards.dataset) == "images"),
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        code=fingerprints.measure_version(),
        run=RUN.run,
        study=lambda wildcards: RUN.study_of[wildcards.dataset],
        features=lambda wildcards: features_option(wildcards.dataset),
        rulers=lambda wildcards: rulers_option(wildcards.dataset),
    shell:
        "otbench measure --data {input.data} --samples {input.samples} --run {params.run} --study {params.study}"
        " --model {wildcards.model} {params.features} {params.rulers} --curves {output.curves} --out {output.table} > {log} 2>&1"


# Drawn and measured again and again: how much of a figure's variance is the seed's, the sample's, the metric's.
rule spread:
    input:
        data=AT.data("{dataset}"),
        summary=AT.fit_summary("{dataset}", "{model}"),
        weights=AT.weights("{dataset}", "{model}"),
        features=lambda wildcards: features_of(wildcards.dataset),
    output:
        table=AT.spread("{dataset}", "{model}"),
        bias=AT.bias("{dataset}", "{model}"),
    log:
        AT.log("spread/{dataset}/{model}"),
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda"),
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        fit=subpath(input.summary, parent=True),
        code=lambda wildcards: fingerprints.fit_version(wildcards.model, RUN.kind(wildcards.dataset)),
        study=fingerprints.study_version("spread"),
        measure=fingerprints.measure_version(),
        options=lambda wildcards: spread_options(wildcards.dataset),
    shell:
        "otbench spread --data {input.data} --fit {params.fit} {params.options} --out {output.table} > {log} 2>&1"


# A blind session for raters; what they answer comes in through `otbench rate import`.
rule rate:
    input:
        data=AT.data("{dataset}"),
        samples=lambda wildcards: expand(
            AT.samples(wildcards.dataset, "{model}"), model=RUN.section(wildcards.dataset).rated
        ),
    output:
        multiext(f"{AT.ratings('{dataset}')}/", "key.json", "rate.html", "sheet.pdf", "form.csv"),
    log:
        AT.log("rate/{dataset}"),
    threads: 1
    params:
        folder=subpath(output[0], parent=True),
        code=fingerprints.ratings_version(),
        samples=lambda wildcards, input: " ".join(f"--samples {quote(path)}" for path in input.samples),
        options=lambda wildcards: rating_options(wildcards.dataset),
    shell:
        "otbench rate sheet --data {input.data} {params.samples} {params.options} --out {params.folder} > {log} 2>&1"


# A path through AE-OT's singular set and the embedding of images and codes: they need the fitted model itself.
rule latent:
    input:
        data=AT.data("{dataset}"),
        summary=AT.fit_summary("{dataset}", "ae-ot"),
        weights=AT.weights("{dataset}", "ae-ot"),
        features=AT.feature_info("{dataset}"),
    output:
        AT.latent("{dataset}"),
    log:
        AT.log("latent/{dataset}"),
    threads: 1
    params:
        fit=subpath(input.summary, parent=True),
        folder=subpath(input.features, parent=True),
        code=fingerprints.study_version("latent"),
    shell:
        "otbench study latent --data {input.data} --fit {params.fit} --features {params.folder} --out {output} > {log} 2>&1"


# The study's search: one job trains and measures some trials of a model, each with options drawn at random.
rule search:
    input:
        data=lambda wildcards: refresh(AT.data(wildcards.dataset)),
        features=AT.feature_info("{dataset}"),
        found=lambda wildcards: found_for(wildcards.dataset, wildcards.model, wildcards.space),
    output:
        AT.search("{dataset}", "{model}", "{space}", "{trials}"),
    log:
        AT.log("search/{dataset}/{model}-{space}-{trials}"),
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda"),
        runtime=lambda wildcards, attempt: 480 * attempt,
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        folder=subpath(input.features, parent=True),
        code=lambda wildcards: fingerprints.fit_version(wildcards.model, "images")
        + fingerprints.study_version("search"),
        measure=fingerprints.measure_version(),
        trials=lambda wildcards: wildcards.trials.replace("-", ":"),
        options=lambda wildcards: search_options(wildcards.dataset),
        found=lambda wildcards, input: " ".join(f"--found {quote(path)}" for path in input.found),
    shell:
        "otbench search {wildcards.model} --data {input.data} --features {params.folder} --space {wildcards.space}"
        " --trials {params.trials} {params.options} {params.found} --out {output} > {log} 2>&1"

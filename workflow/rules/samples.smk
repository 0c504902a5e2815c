# From data sets to samples and their metrics: one job has all seeds and snapshots of a model on a data set.


rule data:
    output:
        f"{FOLDER}/data/{{dataset}}.npz",
    log:
        f"{FOLDER}/logs/data/{{dataset}}.log",
    threads: 1
    params:
        code=catalogue.data_version(),
        source=lambda wildcards: source_of(wildcards.dataset),
        root=(f"--root {quote(RUN.data_root)}" if RUN.data_root else "") + " --unverified" * RUN.unverified,
    shell:
        "otbench data {params.source:q} --name {wildcards.dataset} {params.root} --out {output} > {log} 2>&1"


# Images are compared in the features of a network: here it is trained, or read, and the real images' features are kept.
rule features:
    input:
        f"{FOLDER}/data/{{dataset}}.npz",
    output:
        f"{FOLDER}/features/{{dataset}}/features.json",
    log:
        f"{FOLDER}/logs/features/{{dataset}}.log",
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda"),
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        folder=subpath(output[0], parent=True),
        code=catalogue.features_version(),
        which=lambda wildcards: extractors_of(wildcards.dataset),
        device=RUN.device,
    shell:
        "otbench features --data {input} --out {params.folder} {params.which} --device {params.device} > {log} 2>&1"


rule fit:
    input:
        f"{FOLDER}/data/{{dataset}}.npz",
    output:
        summary=f"{FOLDER}/fit/{{dataset}}/{{model}}/fit.json",
        weights=f"{FOLDER}/fit/{{dataset}}/{{model}}/weights.safetensors",
        losses=f"{FOLDER}/fit/{{dataset}}/{{model}}/losses.csv",
    log:
        f"{FOLDER}/logs/fit/{{dataset}}/{{model}}.log",
    benchmark:
        f"{FOLDER}/benchmarks/fit/{{dataset}}/{{model}}.tsv"
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda"),
        runtime=lambda wildcards, attempt: 240 * attempt,
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        # the folder is no declared output: a resumable checkpoint inside it survives a failed job
        out=subpath(output.summary, parent=True),
        code=lambda wildcards: catalogue.fit_version(wildcards.model, RUN.kind(wildcards.dataset)),
        options=lambda wildcards: json.dumps(
            RUN.section(wildcards.dataset).options(wildcards.model, wildcards.dataset), sort_keys=True
        ),
        seeds=lambda wildcards: ",".join(map(str, RUN.seeds_of(wildcards.dataset))),
        snapshots=lambda wildcards: ",".join(map(str, RUN.section(wildcards.dataset).marks)),
        steps=lambda wildcards: RUN.section(wildcards.dataset).steps,
        training=f"--device {RUN.device} --together {RUN.together} --precision {RUN.precision}"
        + " --capture" * RUN.capture,
    shell:
        "otbench fit {wildcards.model} --data {input} --out {params.out} --seeds {params.seeds}"
        " --steps {params.steps} --snapshots {params.snapshots} --options {params.options:q} {params.training}"
        " > {log} 2>&1"


rule draw:
    input:
        data=f"{FOLDER}/data/{{dataset}}.npz",
        summary=f"{FOLDER}/fit/{{dataset}}/{{model}}/fit.json",
        weights=f"{FOLDER}/fit/{{dataset}}/{{model}}/weights.safetensors",
    output:
        f"{FOLDER}/samples/{{dataset}}/{{model}}.npz",
    log:
        f"{FOLDER}/logs/draw/{{dataset}}/{{model}}.log",
    threads: 1
    params:
        fit=subpath(input.summary, parent=True),
        code=lambda wildcards: catalogue.fit_version(wildcards.model, RUN.kind(wildcards.dataset)),
        n=lambda wildcards: RUN.section(wildcards.dataset).samples,
    shell:
        "otbench draw --fit {params.fit} --data {input.data} --n {params.n} --out {output} > {log} 2>&1"


rule measure:
    input:
        data=f"{FOLDER}/data/{{dataset}}.npz",
        samples=f"{FOLDER}/samples/{{dataset}}/{{model}}.npz",
        features=lambda wildcards: features_of(wildcards.dataset),
    output:
        table=f"{FOLDER}/metrics/{{dataset}}/{{model}}.csv",
        curves=f"{FOLDER}/metrics/{{dataset}}/{{model}}.curves.npz",
    log:
        f"{FOLDER}/logs/measure/{{dataset}}/{{model}}.log",
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda" and RUN.kind(wildcards.dataset) == "images"),
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        code=catalogue.measure_version(),
        run=RUN.run,
        study=lambda wildcards: RUN.study_of[wildcards.dataset],
        features=lambda wildcards: features_option(wildcards.dataset),
    shell:
        "otbench measure --data {input.data} --samples {input.samples} --run {params.run} --study {params.study}"
        " --model {wildcards.model} {params.features} --curves {output.curves} --out {output.table} > {log} 2>&1"


# A path through AE-OT's singular set and the embedding of images and codes: they need the fitted model itself.
rule latent:
    input:
        data=f"{FOLDER}/data/{{dataset}}.npz",
        summary=f"{FOLDER}/fit/{{dataset}}/ae-ot/fit.json",
        weights=f"{FOLDER}/fit/{{dataset}}/ae-ot/weights.safetensors",
    output:
        f"{FOLDER}/studies/latent/{{dataset}}.npz",
    log:
        f"{FOLDER}/logs/latent/{{dataset}}.log",
    threads: 1
    params:
        fit=subpath(input.summary, parent=True),
        code=catalogue.study_version("latent"),
    shell:
        "otbench study latent --data {input.data} --fit {params.fit} --out {output} > {log} 2>&1"


# The study's search: one job trains and measures some trials of a model, each with options drawn at random.
rule search:
    input:
        data=f"{FOLDER}/data/{{dataset}}.npz",
        features=f"{FOLDER}/features/{{dataset}}/features.json",
    output:
        f"{FOLDER}/search/{{dataset}}/{{model}}-{{space}}-{{trials}}.csv",
    log:
        f"{FOLDER}/logs/search/{{dataset}}/{{model}}-{{space}}-{{trials}}.log",
    threads: 1
    resources:
        gpu=lambda wildcards: int(RUN.device == "cuda"),
        runtime=lambda wildcards, attempt: 480 * attempt,
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        folder=subpath(input.features, parent=True),
        code=lambda wildcards: catalogue.fit_version(wildcards.model, "images") + catalogue.study_version("search"),
        measure=catalogue.measure_version(),
        trials=lambda wildcards: wildcards.trials.replace("-", ":"),
        options=lambda wildcards: search_options(wildcards.dataset),
    shell:
        "otbench search {wildcards.model} --data {input.data} --features {params.folder} --space {wildcards.space}"
        " --trials {params.trials} {params.options} --out {output} > {log} 2>&1"

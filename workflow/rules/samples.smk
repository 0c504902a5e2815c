# From data sets to samples and their metrics: one job has all seeds and snapshots of a model on a data set.


rule data:
    output:
        f"{FOLDER}/data/{{dataset}}.npz",
    log:
        f"{FOLDER}/logs/data/{{dataset}}.log",
    threads: 1
    params:
        code=catalogue.code_version("data"),
    shell:
        "otbench data {wildcards.dataset} --out {output} > {log} 2>&1"


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
        code=lambda wildcards: catalogue.fit_version(wildcards.model),
        options=lambda wildcards: json.dumps(RUN.options(wildcards.model), sort_keys=True),
        seeds=",".join(map(str, RUN.seeds)),
        snapshots=",".join(map(str, RUN.marks)),
        steps=RUN.steps,
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
        code=lambda wildcards: catalogue.fit_version(wildcards.model),
        n=RUN.samples,
    shell:
        "otbench draw --fit {params.fit} --data {input.data} --n {params.n} --out {output} > {log} 2>&1"


rule measure:
    input:
        data=f"{FOLDER}/data/{{dataset}}.npz",
        samples=f"{FOLDER}/samples/{{dataset}}/{{model}}.npz",
    output:
        f"{FOLDER}/metrics/{{dataset}}/{{model}}.csv",
    log:
        f"{FOLDER}/logs/measure/{{dataset}}/{{model}}.log",
    threads: 1
    params:
        code=catalogue.measure_version(),
        run=RUN.run,
    shell:
        "otbench measure --data {input.data} --samples {input.samples} --run {params.run} --model {wildcards.model}"
        " --out {output} > {log} 2>&1"

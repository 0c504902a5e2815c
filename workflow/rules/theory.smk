# The texts' arguments, computed: one job a study.


rule theory:
    input:
        lambda wildcards: [AT.data(dataset) for dataset in [RUN.theories[wildcards.theory].dataset] if dataset],
    output:
        AT.theory("{theory}"),
    log:
        AT.log("theory/{theory}"),
    threads: 1
    resources:
        gpu=lambda wildcards: int(device_of(wildcards.theory) == "cuda"),
        runtime=lambda wildcards, attempt: 240 * attempt,
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        code=lambda wildcards: fingerprints.theory_version(wildcards.theory),
        data=lambda wildcards, input: f"--data {input[0]}" if input else "",
        options=lambda wildcards: json.dumps(RUN.theories[wildcards.theory].set, sort_keys=True),
        mesh=lambda wildcards: mesh_state(wildcards.theory),
        seed=lambda wildcards: RUN.theories[wildcards.theory].seed,
        device=lambda wildcards: device_of(wildcards.theory),
    shell:
        "otbench theory {wildcards.theory} {params.data} --options {params.options:q} --seed {params.seed}"
        " --device {params.device} --out {output} > {log} 2>&1"

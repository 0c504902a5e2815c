# From the metrics of all cells to one table, and from that to the report.


rule config:
    output:
        AT.config,
    log:
        AT.log("config"),
    localrule: True
    params:
        # a function's value is taken as it is, braces in it too
        text=lambda wildcards: json.dumps(RUN.model_dump(mode="json"), sort_keys=True),
    shell:
        "printf '%s\\n' {params.text:q} > {output} 2> {log}"


rule gather:
    input:
        config=lambda wildcards: refresh(AT.config),
        metrics=metrics_of(),
        latent=latent_of(),
        search=searches_of(),
        spread=spread_of(),
        sessions=sessions_of(),
        answers=answers_of(),
    output:
        **searched(),
        table=AT.table,
        csv=AT.csv,
        run=AT.summary,
        pictures=list(AT.arrays),
        further=list(AT.further),
    log:
        AT.log("gather"),
    params:
        code=fingerprints.report_version(),
        folder=subpath(output.table, parent=True),
    shell:
        "otbench gather {params.folder} > {log} 2>&1"


rule render:
    input:
        **searched(),
        table=AT.table,
        run=AT.summary,
        pictures=list(AT.arrays),
        further=list(AT.further),
        theory=theories_of(),
        published=local(PUBLISHED_TABLE),
    output:
        page=report(
            AT.report,
            caption="../report/report.rst",
            category="Report",
            labels={"what": "the whole report, one page", "run": RUN.run},
        ),
        markdown=AT.markdown,
        pages=directory(AT.folder / "pages"),
        tables=report(
            directory(AT.folder / "tables"),
            patterns=["{table}.csv"],
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}"},
        ),
        figures=report(
            directory(AT.folder / "figures"),
            patterns=["{figure}.png"],
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        sheets=report(
            directory(AT.folder / "sheets"),
            patterns=["{sheet}.png"],
            caption="../report/sheet.rst",
            category="Contact sheets",
            labels={"sheet": "{sheet}"},
        ),
    log:
        AT.log("render"),
    params:
        code=fingerprints.report_version(),
        folder=subpath(input.table, parent=True),
        reference=reference_option(),
        compared=reference_state(),
    shell:
        "otbench report {params.folder} --published {input.published} {params.reference} > {log} 2>&1"


# The run succeeds where all its cells are ok under the config of this call; its report is there in any case.
rule verdict:
    input:
        table=AT.table,
        report=AT.report,
    output:
        AT.complete,
    log:
        AT.log("verdict"),
    localrule: True
    params:
        folder=subpath(input.table, parent=True),
        config=CONFIG,
    shell:
        "otbench status {params.folder} --config {params.config} 2>&1 | tee {log}"
        " && printf '%s\\n' {params.config} > {output}"


# Renders again, from this run's gathered table or else from the reference results; trains nothing, whatever changed.
rule report:
    log:
        AT.folder.parent / "logs" / "report.log",
    localrule: True
    params:
        folder=lambda wildcards: FOLDER if exists(WHERE.table) else REFERENCE_FOLDER,
        published=PUBLISHED_TABLE,
        reference=reference_option(),
    shell:
        "otbench report {params.folder} --published {params.published} {params.reference} 2>&1 | tee {log}"

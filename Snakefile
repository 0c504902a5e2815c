# `snakemake`, called in the folder of the repository, finds the workflow here; workflow/Snakefile is the workflow.
include: "workflow/Snakefile"

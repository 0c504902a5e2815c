# `snakemake`, called in the folder of the repository, finds the workflow here; workflow/Snakefile is the workflow.
include: "workflow/Snakefile"


# Snakemake takes no default target from a file that is included; it is that one's, under the name that a module gives it.
if workflow.modifier.rule_whitelist is None and not workflow.modifier.rule_exclude_list:
    workflow.default_target = rules.all.rule.name

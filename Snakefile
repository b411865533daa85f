"""langneurons: do language-specific neurons help cross-lingual transfer?

Rules are included in the order in which a run goes through them. What a rule computes
is in workflow/scripts/<rule>.py; what it may depend on is its `spec`.
"""

from snakemake.utils import min_version

min_version("9.27")  # the last that was tested


include: "workflow/rules/configuration.smk"


configfile: str(DEFAULTS)  # config/config.yaml


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/corpora.smk"
include: "workflow/rules/activations.smk"
include: "workflow/rules/neurons.smk"
include: "workflow/rules/probes.smk"
include: "workflow/rules/aligning.smk"
include: "workflow/rules/tuning.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/sweeps.smk"
include: "workflow/rules/steering.smk"
include: "workflow/rules/bridging.smk"
include: "workflow/rules/reporting.smk"
include: "workflow/rules/sharing.smk"


report: "workflow/report/workflow.rst"


rule all:
    """Every table and figure of the grid, and the report."""
    default_target: True
    input:
        tables=all_tables,
        figures=all_figures,
        page=targets.report(CONFIG),
        cost=targets.table(CONFIG, "cost"),


for name in CONFIG.run:

    rule:
        """Every table and figure that an experiment has a part in."""
        name:
            name
        input:
            of_experiment(name),

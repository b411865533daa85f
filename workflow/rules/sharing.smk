# Needs: adapters, neurons and the tables that show what they do.
# Makes: their cards, as the hub reads them; asked for by `snakemake cards`. An adapter's
# lies beside it. Neurons are of all studies, but what tables say of them is of one.


CARDS = Signed(card_specs.CardSpecs(CONFIG))


rule cards:
    """The card of every adapter that is trained, and of each model's neurons."""
    input:
        lambda wildcards: card_specs.all_cards(CONFIG),


rule write_adapter_card:
    """Say how an adapter was trained and what it scores, for whoever gets it."""
    input:
        config="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/adapter_config.json",
        training="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/training.json",
        model="results/models/{model}/pinned/manifest.json",
        tables=CARDS.adapter_tables,
    output:
        out="<study>/adapters/{task}/{model}/{tuning}/seed{seed}/README.md",
    log:
        "logs/<study>/adapters/{task}/{model}/{tuning}/seed{seed}.card.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=CARDS.adapter_card,
        code=code_hash("write_adapter_card"),
    shell:
        run("write_adapter_card") + " --spec {params.spec:q} --code {params.code}"
        " --config {input.config:q} --training {input.training:q}"
        " --model {input.model:q} --tables {input.tables:q}"
        " --out {output.out:q} > {log:q} 2>&1"


rule write_neuron_card:
    """Say how a model's neurons were found and what they do, for whoever gets them."""
    input:
        neurons=CARDS.neuron_files,
        model="results/models/{model}/pinned/manifest.json",
        tables=CARDS.neuron_tables,
    output:
        out="<study>/cards/{model}/README.md",
    log:
        "logs/<study>/cards/{model}.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        spec=CARDS.neuron_card,
        code=code_hash("write_neuron_card"),
    shell:
        run("write_neuron_card", "--neurons {input.neurons:q}")
        + " --code {params.code} --model {input.model:q}"
        " --tables {input.tables:q} --out {output.out:q} > {log:q} 2>&1"

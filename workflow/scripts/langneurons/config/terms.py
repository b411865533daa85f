"""Terms of configurations, tables and reports: said here once.

docs/terms.md is made of them (``make reference``), and so is the list of terms at the
end of a report (``langneurons.report.glossary``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

STEERING = ("amplification",)
THROUGH = ("bridges",)
ALIGNED = ("alignment",)
TRANSFER = ("interventions", "finetuning", "perplexity", "neurons")
"""Kinds of experiments, as terms are of them."""


class Term(NamedTuple):
    """A term.

    Attributes:
        term: the word, as it is used.
        meaning: in plain text, sentences that stand behind a colon.
        example: how it stands in a configuration, a path or a table, in Markdown; on
            the page of terms only.
        kinds: of experiments in whose reports it is explained; none: in all.
    """

    term: str
    meaning: str
    example: str = ""
    kinds: tuple[str, ...] = ()


SECTIONS: Mapping[str, Sequence[Term]] = {
    "Neurons": (
        Term(
            "neuron",
            "one of the inner dimensions of an MLP block; its activation is the output "
            "of the activation function on the gate projection.",
            "layer 3, neuron 117: both are counted from 0",
        ),
        Term(
            "site",
            "where in the MLP an activation is read or written: gate_pre before the "
            "activation function, act_post after it, prod where the down projection "
            "reads.",
            "`measure: act_post`, `write: act_post`",
        ),
        Term(
            "language set",
            "the languages that a method compares with each other. The neurons of a "
            "language depend on which others are in its set.",
            "an entry of `language_sets`, such as `set1`",
        ),
        Term(
            "method",
            "a way to find the neurons of each language of a set, from statistics of "
            "their activations.",
            "an entry of `methods`, such as `lape`; its `kind` is the algorithm",
        ),
        Term(
            "selection",
            "the neurons of every language of a set by one method, such as lape.set1.",
            "`lape.set1`, in the file `results/neurons/{model}/lape.set1.json`",
        ),
        Term(
            "LAPE",
            "language activation probability entropy: neurons that are active in few "
            "languages (Tang et al. 2024).",
            "`kind: lape`",
        ),
        Term(
            "Act Prob 90p",
            "the neurons that exceed the 90th percentile of their activation most "
            "often.",
            "the method `ap90` of `config/config.yaml`, `kind: actprob`",
            TRANSFER,
        ),
        Term(
            "random neurons",
            "the control: as many random neurons in each layer as the method selected, "
            "in several draws. An effect that they have too is none of the language.",
            "a method of `kind: matched_random`",
        ),
        Term(
            "draw",
            "one set of random neurons. A random method stands for all its draws.",
            "`random_lape-3.set1` is the third draw of `random_lape.set1`",
        ),
    ),
    "What is done to a model": (
        Term(
            "intervention (Int)",
            "overwriting a language's neurons at test time with a statistic of their "
            "own activations in that language. No Int: the same model left alone.",
        ),
        Term(
            "statistic",
            "what is written into neurons, and how: a value (a mean, a percentile, "
            "zero), the site where it was measured, the site where it is written. In "
            "amplification experiments it is called a factor.",
            "in the demo's table `xnli` the column `p90`: each neuron of the language "
            "gets the 90th percentile of its own activations in it",
        ),
        Term(
            "lang, neuron_lang",
            "lang is the language of the items or the text, neuron_lang the one whose "
            "neurons are overwritten: the same one (target) unless an experiment names "
            "others (neuron_languages).",
            "in the demo's table `steering` the row with `lang` en and `neuron_lang` "
            "hi: questions in English, answered while Hindi's neurons are amplified",
        ),
        Term(
            "treatment",
            "what a model is under while one set of items is answered: none, neurons "
            "overwritten with a statistic, a prompt, a direction, or a bridge.",
            "`none`, `lape.set1.p90`, `lape.set1.fr.p90` (the French neurons), "
            "`prompt.hi`, `diffmean-l12-s2.hi`, `via_en`: the names of files of "
            "results",
        ),
        Term(
            "tuning",
            "which weights fine-tuning may change, an entry of tunings. base: none, "
            "the model as it is, not fine-tuned. Where neurons are tuned, it is named "
            "by their selection and their languages: source, target or both.",
            "the demo tunes `attention`, `all_mlp`, `lape.world.en+ur` (the neurons of "
            "English and Urdu, entry `masked`) and `rows.lape.world.ur` (Urdu's, entry "
            "`rows`)",
            TRANSFER,
        ),
        Term(
            "kinds of tuning",
            "attention: small matrices (LoRA) beside the attention projections learn, "
            "all else stays; all_mlp: also beside the MLP projections; masked_lora: "
            "there for the selected neurons only; subnetwork_rows: the selected "
            "neurons' own weights learn, at full rank; adapter: somebody else trained "
            "it; none: nothing learns.",
            "`tunings: {masked: {kind: masked_lora}}` in the demo",
            TRANSFER,
        ),
        Term(
            "source and target language",
            "the one that a model is tuned on (of a pair: that it comes from), and the "
            "one that it is tested in (of a pair: that it goes to).",
            "`source_language: en`",
        ),
        Term(
            "zero-shot transfer",
            "tuned on the training language only, tested in another one (target "
            "language).",
            kinds=TRANSFER,
        ),
        Term(
            "profile",
            "a key of the configuration: defaults of where activations are measured "
            "and written, and of how percentiles are taken. paper is the released "
            "code, consistent measures where it writes and takes percentiles over all "
            "tokens.",
            "`profile: consistent` at the top of `config/demo.yaml`; its statistic "
            "`p90_paper` has a `profile: paper` of its own",
        ),
        Term(
            "profiles/",
            "a folder of files for Snakemake that say where and how many jobs run, as "
            "on a cluster; no number depends on them, and the key profile has nothing "
            "to do with them.",
            "`--profile profiles/demo`, for a laptop",
        ),
        Term(
            "paper's sites, equal sites",
            "the profiles paper and consistent: values measured before the activation "
            "function and written after it, or measured and written after it.",
            "the table `profiles`",
            TRANSFER,
        ),
    ),
    "A study": (
        Term(
            "configuration",
            "the files that say what is run: config/config.yaml, and others on top of "
            "it.",
            "`--configfile config/demo.yaml mine.yaml`",
        ),
        Term(
            "catalogue",
            "a block of the configuration whose entries say what a name means. An "
            "entry that nothing names costs nothing.",
            "`models`, `corpora`, `methods`, `tasks`, `experiments`, ...",
        ),
        Term(
            "experiment",
            "a named part of the grid. Its kind says which lists it has; every "
            "combination of their entries is evaluated.",
            "an entry of `experiments` that `run` names",
        ),
        Term(
            "sweep",
            "a method or a statistic at several values of one parameter; its name "
            "stands for all of them.",
            "an entry of `sweeps`; `lape_rate_0_005.set1` is one of them",
        ),
        Term(
            "study",
            "a configuration whose own results have a folder of their own.",
            "`study: mine` puts them into `results/mine/`",
        ),
        Term(
            "task",
            "what a model is asked, and how its answers are scored.",
            "an entry of `tasks`, such as `xnli`; its `kind` is the code",
        ),
        Term(
            "pair",
            "from which language into which; it stands where a language stands.",
            "`zh-sw`",
        ),
        Term(
            "corpus",
            "the text that activations are recorded on, in chunks of one length or "
            "sentence by sentence (unit).",
            "an entry of `corpora`; `unit: document`",
        ),
        Term(
            "spec",
            "the part of the configuration that a job reads. A job runs again when its "
            "spec, the code that it runs, or an input has changed.",
            "`spec` in `<output>.provenance.json`",
        ),
    ),
    "Steering": (
        Term(
            "factor",
            "a statistic that an amplification experiment writes into neurons. The "
            "best factor has the largest LSS on the first half of the facts; the "
            "second half shows what it is worth.",
            "`p_max` in the demo's `amplification`: the largest mean of a sentence; "
            "`p90` in its `transfer` is a statistic, and no factor",
            STEERING,
        ),
        Term(
            "LSS, LSS+",
            "language steering shift: the share of facts, asked in a base language, "
            "whose object in the target language gains on that in the base language "
            "when the target's neurons are amplified. LSS rises where both are harmed, "
            "the likelier one more; LSS+ counts only facts whose target object becomes "
            "likelier, too.",
            "columns `lss` and `lss_plus` of the table `steering`",
            STEERING,
        ),
        Term(
            "prompt, DiffMean",
            "two controls of steering without neurons: a text in front of every prompt "
            "names the language; the mean difference between the language and others "
            "is added to the residual stream after one layer.",
            "`prompt.hi`; `diffmean-l12-s2.hi`: twice the difference, after layer 12",
            STEERING,
        ),
    ),
    "Bridges and alignment": (
        Term(
            "bridge",
            "a third language on the way from one into another: the model gives the "
            "word, or the text, in it first. A similarity chooses it among candidates, "
            "which are all tested; regret is what the choice lacks to the best of "
            "them.",
            "`via_en`",
            THROUGH,
        ),
        Term(
            "similarity",
            "a way to score the candidates for a bridge.",
            "an entry of `similarities`, such as `hsic`",
            THROUGH,
        ),
        Term(
            "probe",
            "a word of a dictionary that the model translates, on which neurons are "
            "recorded.",
            "`experiments.bridges.probes`",
            THROUGH,
        ),
        Term(
            "HSIC",
            "Hilbert-Schmidt independence criterion: how far two neurons depend on "
            "each other over the words of a dictionary; high for a bridge whose "
            "neurons do as those that both languages of a pair share.",
            "`kind: hsic`",
            THROUGH,
        ),
        Term(
            "alignment",
            "how alike the states of neurons are on a sentence and on its translation: "
            "mutual is the share of sentences that are each other's nearest by cosine, "
            "gap the mean cosine of translations minus that of other pairs.",
            "the table `alignment`",
            ALIGNED,
        ),
    ),
    "Numbers": (
        Term(
            "change",
            "in percentage points against the same items without the intervention; of "
            "a tuning against the attention tuning, which is set against base where "
            "that was run.",
            "columns `against` and `delta`",
        ),
        Term(
            "[low, high]",
            "95 % interval: Wilson's for a share of items; paired bootstrap over items "
            "for a change; Student's over model-language pairs for the means of the "
            "verdicts. For random neurons: the lowest and the highest draw.",
            "columns `ci_low` and `ci_high`",
        ),
        Term(
            "Holm p",
            "p-value of the paired test over items, after Holm's correction for all "
            "comparisons of the same experiment, model and metric that its table may "
            "mark.",
            "column `p_holm`; ▲ and ▼ where it is below 0.05",
        ),
        Term(
            "detectable",
            "the smallest difference that the test could have seen with 80 % power at "
            "p < 0.05, in points, before the correction.",
            "column `detectable`",
        ),
        Term(
            "nats per token",
            "negative log-likelihood of a text; perplexity is its exponential.",
            "the table `perplexity`",
        ),
    ),
}

HEAD = """\
# Terms

Made by `make reference` from `workflow/scripts/langneurons/config/terms.py`, as is the
list of terms at the end of a report; edit that file, not this page. Results by their
names: [README](../README.md#names-of-files). Keys of a configuration:
[keys.md](keys.md).
"""
TABLE = ("| term | meaning | for example |", "|---|---|---|")


def terms() -> Iterator[Term]:
    """Go through all terms, in their order."""
    for section in SECTIONS.values():
        yield from section


def page() -> str:
    """Write the page of terms."""
    lines = [HEAD]
    for title, section in SECTIONS.items():
        lines += [f"## {title}", "", *TABLE]
        lines += [f"| **{t.term}** | {t.meaning} | {t.example} |" for t in section]
        lines.append("")
    return "\n".join(lines)

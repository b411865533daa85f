"""Sweeps: an entry for each value of a parameter, where experiments name the sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configurations import paper
from evaluation_files import XNLI, Study, right
from langneurons.config import sweep_entries
from langneurons.config.errors import ConfigError
from langneurons.config.schema import Config
from langneurons.figures import sweep as figure
from langneurons.grid import rows
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.study.table_specs import TableSpecs
from langneurons.tables.common import metrics, task_means, task_table

RATE = {"method": "lape", "parameter": "top_rate", "values": [0.005, "1e-2", 0.02]}
NAMES = ["lape_rate_0_005", "lape_rate_0_01", "lape_rate_0_02"]


def swept(sweep: dict[str, Any], **axes: Any) -> dict[str, Any]:
    """Return the paper's configuration with one experiment on a sweep."""
    given = {"models": ["llama31"], "tasks": ["xnli"], "languages": ["vi"]}
    given |= {"selections": ["lape_rate.set1", "random_lape_rate.set1"]}
    given |= {"statistics": ["p90"], "control_statistics": ["p90"]}
    mine = {"kind": "interventions"} | given | axes
    return paper(run=["mine"], experiments={"mine": mine}, sweeps={"lape_rate": sweep})


@pytest.fixture(scope="module")
def config() -> Config:
    return load(swept(RATE | {"control": "random_lape"}))


def test_each_value_is_a_method_with_its_control(config: Config) -> None:
    chosen = [config.method(name) for name in NAMES]
    assert [x.parameters["top_rate"] for x in chosen] == [0.005, 0.01, 0.02]
    base = config.method("lape")
    for one in chosen:
        same = {"parameters": base.parameters, "published_as": "lape"}
        assert one.model_copy(update=same) == base
        assert one.published_as is None  # its numbers are published for one value
    for name in NAMES:
        control = config.method(f"random_{name}")
        assert (control.reads, control.draws) == ((name,), 5)
    asked = list(dict.fromkeys(str(x) for x in rows.all_selections(config)))
    drawn = [f"random_{name}-{i}.set1" for name in NAMES for i in range(1, 6)]
    assert asked == [f"{name}.set1" for name in NAMES] + drawn


def test_a_value_more_changes_nothing_of_the_others(config: Config) -> None:
    more = RATE | {"values": [0.05, *RATE["values"]], "control": "random_lape"}
    wider = load(swept(more))
    wildcards = {"model": "llama31", "langset": "set1"}
    for name in (*NAMES, *(f"random_{name}-1" for name in NAMES)):
        given = _Wildcards(wildcards | {"method": name})
        assert Specs(wider).identify_neurons(given) == (
            Specs(config).identify_neurons(given)
        )
    assert {*wider.methods} - {*config.methods} == {
        "lape_rate_0_05",
        "random_lape_rate_0_05",
    }


class _Wildcards:
    def __init__(self, given: dict[str, str]) -> None:
        vars(self).update(given)


def test_a_configuration_that_was_written_out_is_the_same(config: Config) -> None:
    """Jobs and the report read it again."""
    again = load(config.model_dump(mode="json", exclude_unset=True))
    assert again == config
    same = load(
        config.model_dump(mode="json", exclude_unset=True, exclude_defaults=True)
    )
    assert same.methods == config.methods


def test_a_sweep_of_a_statistic_stands_in_lists_of_statistics() -> None:
    sweep = {"statistic": "plus", "parameter": "weight", "values": [0.5, -1, 2]}
    raw = swept(sweep, statistics=["zero", "lape_rate"], selections=["lape.set1"])
    raw["statistics"]["plus"] = {"value": "mean", "op": "add"}
    config = load(raw)
    names = ["lape_rate_0_5", "lape_rate_m1", "lape_rate_2"]
    assert config.experiment("mine").model_dump()["statistics"] == ("zero", *names)
    assert [config.statistic(name).weight for name in names] == [0.5, -1, 2]
    assert targets.sweeps(config, "xnli") == ["lape_rate"]


@pytest.mark.parametrize(
    ("value", "name"),
    [(0.005, "0_005"), (90, "90"), (1e-7, "0_0000001"), (-1.5, "m1_5"), (100.0, "100")],
)
def test_values_are_named_so_that_paths_hold_them(value: float, name: str) -> None:
    assert sweep_entries.written(value) == name


WRONG = [
    ({"method": "lapse"}, "sweeps.lape_rate.method: unknown method 'lapse' - did you"),
    ({"parameter": "top_rat"}, "parameter of kind lape 'top_rat' - did you mean"),
    ({"values": [0.01, 7]}, "sweeps.lape_rate.top_rate: must be"),
    ({"values": [0.01, 0.010]}, "0.01 stands twice"),
    ({"values": []}, "sweeps.lape_rate.values: at least 1 entry is needed"),
    ({"control": "random_ap90"}, "random_ap90 is no random method that reads lape"),
    ({"statistic": "p90"}, "one of 'method' and 'statistic' is given"),
    ({"method": None, "statistic": "p90"}, "'top_rate' is no number of a statistic"),
]


@pytest.mark.parametrize(("changed", "message"), WRONG)
def test_a_sweep_that_means_nothing_is_refused(
    changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        load(swept(RATE | changed))
    assert message in str(error.value)


def test_names_of_other_entries_are_refused() -> None:
    raw = swept(RATE | {"control": "random_lape"})
    raw["methods"]["lape_rate_0_02"] = raw["methods"]["lape"]
    with pytest.raises(ConfigError, match="an entry lape_rate_0_02 already"):
        load(raw)
    raw = swept(RATE, selections=["lape.set1"])
    raw["methods"]["lape_rate"] = raw["methods"]["lape"]
    with pytest.raises(ConfigError, match="lape_rate is another entry's name"):
        load(raw)


def test_the_figure_of_a_sweep_is_asked_for_and_told_its_values(
    config: Config,
) -> None:
    found = [path for path in targets.figures(config) if "/sweep." in path]
    assert found == ["results/figures/xnli/sweep.lape_rate.accuracy.svg"]
    names = {"table": "xnli", "sweep": "lape_rate", "metric": "accuracy"}
    spec = TableSpecs(config).draw_sweep(_Wildcards(names))
    assert '"values":{"lape_rate_0_005":0.005,' in spec.replace(" ", "")
    # Not every pair of values is drawn.
    assert not [path for path in targets.figures(config) if "shared_with" in path]


def test_changes_stand_at_their_values_beside_random_ones(tmp_path: Path) -> None:
    values = {"s_1": 1.0, "s_20": 20.0}
    made = Study(tmp_path, XNLI)
    for lang, more in (("vi", 0), ("hi", 4)):
        made.add(lang, "none", {}, accuracy=right(40, 10))
        made.add(lang, "other.set.p90", {}, accuracy=right(40, 30))
        for name, gain in (("s_20", 20 + more), ("s_1", 2)):
            made.add(lang, f"{name}.set.p90", {}, accuracy=right(40, 10 + gain))
            for draw in (1, 2):
                random = f"random_{name}-{draw}.set.p90"
                made.add(lang, random, {}, accuracy=right(40, 10 + draw))
    given = {"layout": "interventions", "resamples": 200}
    table = task_table.task_table(made.rows, made.evaluations, XNLI, **given)
    given |= {"source": "en"}
    table = task_means.with_means(table, made.rows, made.evaluations, XNLI, **given)
    data = figure.sweep(table, "accuracy", values, "method")
    assert [*dict.fromkeys(data["lang"])] == ["vi", "hi", "vi+hi"]
    own = data[~data["control"]]
    assert own["at"].tolist() == [1, 20] * 3
    assert own["delta"].tolist() == pytest.approx(np.array([2, 20, 2, 24, 2, 22]) / 40)
    assert set(own["series"]) == {"p90"} and own["ci_low"].notna().all()
    drawn = data[data["control"] & (data["lang"] == "vi+hi")]
    assert drawn["at"].tolist() == [1, 1, 20, 20]
    assert drawn["delta"].tolist() == pytest.approx([1 / 40, 2 / 40] * 2)
    shown = metrics.of_table(table)["accuracy"]
    made_ = figure.draw_sweep(data, shown, "top_rate", "t")
    panels = [axes for axes in made_.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["vi", "hi", "mean of vi, hi"]
    assert panels[0].get_xscale() == "log"
    assert [text.get_text() for text in panels[0].get_xticklabels()] == ["1", "20"]

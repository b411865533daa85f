"""The losses of adapters while they were trained, as their records have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configurations import paper
from langneurons.config.errors import DataError
from langneurons.figures import training
from langneurons.study import targets
from langneurons.study.configuration import load
from langneurons.study.table_specs import TableSpecs

NAMES = [
    ("attention", 1), ("attention", 2), ("lape.s.en", 1), ("random_lape-1.s.en", 1),
    ("random_lape-2.s.en", 1), ("rows.lape.s.en+vi", 1),
]  # fmt: skip


def written(folder: Path, losses: list[float], **changed: object) -> Path:
    curve = [{"step": 2 * i + 2, "loss": loss} for i, loss in enumerate(losses)]
    made = {"format": "langneurons/training/1", "steps": 9, "loss_curve": curve}
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(made | changed))
    return path


def test_each_adapter_is_a_line_in_the_panel_of_what_was_tuned(tmp_path: Path) -> None:
    paths = [written(tmp_path, [1.0, 0.5, 0.25 + i]) for i in range(len(NAMES))]
    data = training.curves(paths, NAMES)
    assert data["step"].tolist() == [2, 4, 6] * 6
    assert data["loss"].tolist()[2::3] == [0.25 + i for i in range(6)]
    places = data.drop_duplicates(["panel", "series"])[["panel", "series"]]
    assert [*places.itertuples(index=False, name=None)] == [
        ("attention", training.ALL),
        ("lape.s", "en"),
        ("random_lape.s", "en"),
        ("rows.lape.s", "en+vi"),
    ]
    figure = training.draw_curves(data, "t")
    drawn = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in drawn] == places["panel"].tolist()
    assert [len(axes.lines) for axes in drawn] == [2, 1, 2, 1]
    # The mean of three of them, as far as there are any.
    mean = (1.0 + 0.5 + 0.25) / 3
    assert drawn[0].lines[0].get_ydata().tolist() == pytest.approx([mean] * 3)


@pytest.mark.parametrize(
    ("losses", "changed", "message"),
    [
        ([], {}, "its curve is empty"),
        ([1.0], {"format": "x"}, "its format is x"),
        ([1.0], {"loss_curve": [{"step": 1}]}, "KeyError|'loss'"),
    ],
)
def test_what_is_no_record_is_refused(
    tmp_path: Path, losses: list[float], changed: dict, message: str
) -> None:
    path = written(tmp_path, losses, **changed)
    with pytest.raises(DataError, match=message) as error:
        training.curves([path], NAMES[:1])
    assert str(path) in str(error.value)


def test_every_adapter_of_a_model_and_task_is_in_its_figure() -> None:
    config = load(paper(run=["finetuning"]))
    found = [path for path in targets.figures(config) if "training_curves" in path]
    assert found == [
        f"results/figures/{model}/training_curves.{task}.svg"
        for task in ("xnli", "xquad")
        for model in ("llama31", "nemo")
    ]
    specs = TableSpecs(config)
    given = type("Wildcards", (), {"model": "nemo", "task": "xnli"})
    records = specs.trainings(given)
    assert len(records) == len(set(records)) > 10
    front = "results/adapters/xnli/nemo/"
    assert f"{front}attention/seed42/training.json" in records
    names = json.loads(specs.draw_training(given))["names"]
    assert [f"{front}{name}/seed{seed}/training.json" for name, seed in names] == (
        records
    )
    untuned = load(paper(run=["amplification"]))
    assert not [p for p in targets.figures(untuned) if "training_curves" in p]

"""Names of selections and treatments are read as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langneurons.config.errors import ConfigError
from langneurons.config.names import Selection, Treatment, TuningName, draw, split_draw

part = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
language = st.from_regex(r"[a-z]{2}(_[A-Z][a-z]{3})?", fullmatch=True)


@given(part, part, part, st.none() | language)
def test_a_treatment_is_read_back_as_written(
    method: str, languages: str, statistic: str, of: str | None
) -> None:
    treatment = Treatment(Selection(method, languages), statistic, of)
    assert Treatment.parse(str(treatment)) == treatment


@pytest.mark.parametrize(
    "text", ["lape", "lape.", "Lape.set1", "lape.set1.p9.x.y", "../x.y"]
)
def test_other_texts_are_no_selection(text: str) -> None:
    with pytest.raises(ConfigError, match="method.language_set"):
        Selection.parse(text)


@pytest.mark.parametrize("text", ["lape.set1", "lape.set1.a.b.c", "lape/../set1.zero"])
def test_other_texts_are_no_treatment(text: str) -> None:
    with pytest.raises(ConfigError, match="neither"):
        Treatment.parse(text)


@given(part, part, part, st.lists(language, min_size=1, max_size=3))
def test_a_tuning_is_read_back_as_written(
    entry: str, method: str, languages: str, tuned: list[str]
) -> None:
    name = TuningName(entry, Selection(method, languages), tuple(tuned))
    assert TuningName.parse(str(name)) == name
    assert TuningName.parse(entry) == TuningName(entry)


def test_the_usual_entry_is_not_written() -> None:
    name = TuningName.parse("lape.set6.en+hi")
    assert name.entry == "masked"
    assert name.languages == ("en", "hi")
    assert str(name) == "lape.set6.en+hi"
    assert TuningName.parse("rows.lape.set6.en").entry == "rows"


@pytest.mark.parametrize(
    "text", ["lape.set1", "a.b.c.d.e", "lape.set1.EN", "lape.set1.en+", "x/y", ""]
)
def test_other_texts_are_no_tuning(text: str) -> None:
    with pytest.raises(ConfigError, match="lape.set6.en\\+hi"):
        TuningName.parse(text)


def test_draws_are_numbered_with_a_dash() -> None:
    assert split_draw(draw("random_lape", 3)) == ("random_lape", 3)
    assert split_draw("lape") == ("lape", None)

"""Names of selections and treatments are read as they are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langneurons.config.errors import ConfigError
from langneurons.config.names import (
    UNTREATED,
    Bridged,
    Overwritten,
    Pair,
    Prompted,
    Selection,
    Steered,
    Treatment,
    TuningName,
    draw,
    split_draw,
    target_of,
)

part = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True)
language = st.from_regex(r"[a-z]{2}(_[A-Z][a-z]{3})?", fullmatch=True)


@given(part, part, part, st.none() | language)
def test_a_treatment_is_read_back_as_written(
    method: str, languages: str, statistic: str, of: str | None
) -> None:
    treatment = Overwritten(Selection(method, languages), statistic, of)
    assert Treatment.parse(str(treatment)) == treatment


strength = st.integers(0, 20_000).map(lambda x: x / 1000)
others = st.one_of(
    st.just(UNTREATED),
    st.builds(Prompted, st.none() | language),
    st.builds(Steered, st.integers(0, 200), strength, st.none() | language),
    st.builds(Bridged, language),
)


@given(others)
def test_a_treatment_without_neurons_is_read_back_as_written(given: Treatment) -> None:
    assert Treatment.parse(str(given)) == given


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("none", UNTREATED),
        ("prompt", Prompted()),
        ("prompt.hi", Prompted("hi")),
        ("diffmean-l12-s2.hi", Steered(12, 2.0, "hi")),
        ("diffmean-l0-s0_5", Steered(0, 0.5)),
        ("via_en", Bridged("en")),
        ("lape.set1.p90", Overwritten(Selection("lape", "set1"), "p90")),
        ("lape.f18.vi.p_max", Overwritten(Selection("lape", "f18"), "p_max", "vi")),
    ],
)
def test_treatments_have_one_name(text: str, meant: Treatment) -> None:
    assert Treatment.parse(text) == meant
    assert str(meant) == text


@given(language, language)
def test_a_pair_is_read_back_as_written(source: str, target: str) -> None:
    if source == target:
        with pytest.raises(ConfigError, match="source-target"):
            Pair.parse(f"{source}-{target}")
        return
    pair = Pair.parse(f"{source}-{target}")
    assert pair == Pair(source, target) and str(pair) == f"{source}-{target}"
    assert target_of(str(pair)) == target and target_of(source) == source


@pytest.mark.parametrize("text", ["zh", "zh-", "-sw", "zh-sw-en", "ZH-sw", "zh_sw"])
def test_other_texts_are_no_pair(text: str) -> None:
    with pytest.raises(ConfigError, match="pair .* is not of the form source-target"):
        Pair.parse(text)


@pytest.mark.parametrize(
    "text", ["lape", "lape.", "Lape.set1", "lape.set1.p9.x.y", "../x.y"]
)
def test_other_texts_are_no_selection(text: str) -> None:
    with pytest.raises(ConfigError, match="method.language_set"):
        Selection.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "lape.set1", "lape.set1.a.b.c", "lape/../set1.zero", "prompt.", "via_",
        "diffmean-l1", "diffmean-l01-s2", "diffmean-l1-s2_0",
        "diffmean-l-1-s2", "None", "",
    ],
)  # fmt: skip
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

"""Corpora of sentences: which rows are read, how they are tokenised, what not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest

from configurations import ROOT, merge, read, tiny
from langneurons.config.corpus_entries import Corpus
from langneurons.config.errors import ConfigError, DataError
from langneurons.costs.job_estimates import JobEstimates
from langneurons.grid import result_paths
from langneurons.jobs import files, tensors
from langneurons.jobs.fingerprint import code_hash
from langneurons.study.configuration import load
from langneurons.study.specs import Specs
from langneurons.text import hub, sentence_tokens, sentences

BOS = 9
ROWS = {"text_column": "text", "column": "index_id", "at_least": 0, "below": 997}
HEADER = "index_id\tcategory\ttext\n"
SIB = {"files": ["{code}/train.tsv", "{code}/test.tsv"], "column": "index_id"}


def encode(texts: list[str]) -> list[list[int]]:
    """A token per character, newlines and blanks among them."""
    return [[ord(sign) for sign in text] for text in texts]


def table(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def read_rows(*paths: Path, **changes: Any) -> list[tuple[int, str]]:
    found = sentences.read(paths, ROWS | changes, ("en", "eng_Latn"))
    return [(one.number, one.text) for one in found]


def test_rows_of_tables_are_chosen_and_put_in_order_by_a_column(tmp_path: Path) -> None:
    one = table(tmp_path / "a.tsv", "5\tx\tfive", "1200\tx\theld", "997\tx\tout")
    two = table(tmp_path / "b.tsv", '2\tx\t"say ""no"", or"', "996\tx\t  last ")
    wanted = [(2, 'say "no", or'), (5, "five"), (996, "last")]
    assert read_rows(one, two) == wanted
    assert read_rows(one, two, at_least=997, below=None) == [
        (997, "out"), (1200, "held"),
    ]  # fmt: skip
    # Without a column, rows count from 0 through all files.
    counted = read_rows(one, two, column=None, at_least=2, below=4)
    assert counted == [(2, "out"), (3, 'say "no", or')]


def test_lines_and_objects(tmp_path: Path) -> None:
    lines = tmp_path / "en.txt"
    lines.write_text("one\ntwo\n\n\n", encoding="utf-8")
    plain = {"column": None, "below": None}
    assert read_rows(lines, **plain) == [(0, "one"), (1, "two")]
    objects = tmp_path / "en.jsonl"
    rows = [{"id": 3, "say": "drei"}, {"id": "1", "say": "eins"}]
    objects.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_rows(objects, column="id", text_column="say")
    assert found == [(1, "eins"), (3, "drei")]


def test_rows_that_name_their_language(tmp_path: Path) -> None:
    path = tmp_path / "all.tsv"
    for said in ("en", "eng_Latn"):
        path.write_text(f"lang\ttext\n{said}\tone\nvie_Latn\thai\n")
        assert read_rows(path, column=None) == [(0, "one")]
    path.write_text("lang\ttext\nvie_Latn\thai\n")
    with pytest.raises(DataError, match="no row is of language 'eng_Latn'"):
        read_rows(path, column=None)


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (["1\tx\t"], {}, r"line 2: text is ''; a sentence is expected"),
        (["1\tx\t  "], {}, "a sentence is expected. Take the row out, in all"),
        (["1\tx\ta"], {"text_column": "sentence"}, "no column 'sentence'.*text_column"),
        (["1\tx\ta"], {"column": "id"}, "no column 'id'.*there are: index_id, categ"),
        (["one\tx\ta"], {}, "line 2: index_id is 'one', not a whole number"),
        (["1.5\tx\ta"], {}, "index_id is '1.5', not a whole number"),
        (["1\tx\ta", "1\tx\tb"], {}, "line 3: index_id is 1, as in .*line 2"),
        (["1\ta"], {}, "line 2: 2 cells, but the header names 3"),
        (['1\tx\t"a'], {}, "line 2: .*a cell that begins with a quotation mark"),
        (["998\tx\ta"], {}, "no sentence is numbered at least 0 and below 997; there"),
    ],
)
def test_bad_tables(
    tmp_path: Path, rows: list[str], changes: dict[str, Any], message: str
) -> None:
    path = table(tmp_path / "x.tsv", *rows)
    with pytest.raises(DataError, match=message):
        read_rows(path, **changes)


def test_bad_files(tmp_path: Path) -> None:
    for name, text, message in (
        ("x.csv", "a", "sentences are in .txt, .tsv, .jsonl files"),
        ("x.tsv", "text\ttext\n", "names text twice"),
        ("x.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("x.jsonl", "nothing\n", "line 1 is not a JSON object"),
        ("x.jsonl", '{"index_id": true, "text": "a"}\n', "index_id is True"),
        ("x.txt", "one\n\nthree\n", "line 2: text is ''; a sentence is expected"),
    ):
        (tmp_path / name).write_text(text)
        column = None if name == "x.txt" else "index_id"
        with pytest.raises(DataError, match=message):
            read_rows(tmp_path / name, column=column)


def spec(**changes: Any) -> dict[str, Any]:
    given = {"corpus": "c", "language": "en", "code": "eng_Latn", "unit": "document"}
    given |= {"tokens": 10, "chunk_length": 8, "bos": "document", "prefix": ""}
    given |= {"skip_tokens": 0, "language_filter": None, "rows": ROWS}
    return given | changes


def tokenise(tmp_path: Path, path: Path, **changes: Any) -> tuple[Any, Any, Any, Any]:
    model = {"model": "m", "model_revision": "r"}
    out, side = tmp_path / "en.safetensors", tmp_path / "en.json"
    rest, beside = tmp_path / "rest.safetensors", tmp_path / "rest.json"
    given = spec(**changes)
    sentence_tokens.record([path], encode, BOS, model, given, out, side)
    given["rows"] = ROWS | {"at_least": 997, "below": None}
    how = [path], encode, BOS, model, given
    sentence_tokens.hold_out(*how, side, rest, beside)
    found = tensors.read(out)[0], tensors.read(rest)[0]
    return *found, files.read_json(side), files.read_json(beside)


def test_sentences_are_taken_up_to_the_tokens_asked(tmp_path: Path) -> None:
    """Of BOS and 3, 1 and 2 letters, two sentences are 6 tokens, three would be 9."""
    rows = ["3\tx\tabc", "5\tx\td", "6\tx\tef", "997\tx\tgh", "998\tx\td", "999\tx\ti"]
    path = table(tmp_path / "x.tsv", *rows)
    for most, count in ((9, 3), (8, 2), (6, 2), (5, 1)):
        arrays, rest, manifest, held = tokenise(tmp_path, path, tokens=most)
        assert arrays["document_starts"].tolist() == [0, 4, 6][:count]
        assert manifest["tokens"] == [0, 4, 6, 9][count]
        assert manifest["documents"] == count and manifest["code"] == "eng_Latn"
    assert arrays["tokens"].tolist() == [BOS, *map(ord, "abc")]
    # Only "abc" is recorded: "d" may be held out.
    assert rest["heldout_starts"].tolist() == [0, 3, 5]
    assert held["heldout_tokens"] == 4 and held["repeated_documents"] == 0
    _, rest, _, held = tokenise(tmp_path, path, tokens=6)
    assert rest["heldout"].tolist() == [BOS, *map(ord, "gh"), BOS, ord("i")]
    assert held["repeated_documents"] == 1


def test_prefix_and_tokens_that_do_not_count(tmp_path: Path) -> None:
    path = table(tmp_path / "x.tsv", "1\tx\tabcde", "2\tx\tf", "997\tx\tgh")
    given = {"prefix": "\n ", "skip_tokens": 3, "tokens": 512}
    arrays, _, manifest, held = tokenise(tmp_path, path, **given)
    wanted = [BOS, *map(ord, "\n abcde"), BOS, *map(ord, "\n f")]
    assert arrays["tokens"].tolist() == wanted
    # Eight tokens, of which five count, and four, of which one does.
    assert manifest["tokens"] == 6 and manifest["cut_documents"] == 0
    assert held["heldout_tokens"] == 2
    _, _, manifest, _ = tokenise(tmp_path, path, **given, chunk_length=7)
    assert manifest["tokens"] == 5 and manifest["cut_documents"] == 1
    given |= {"skip_tokens": 4}
    with pytest.raises(DataError, match="'f' has 4 tokens .* first 4 do not count"):
        tokenise(tmp_path, path, **given)


def test_a_sentence_needs_a_token_to_predict(tmp_path: Path) -> None:
    path = table(tmp_path / "x.tsv", "1\tx\tabc", "997\tx\tg")
    with pytest.raises(DataError, match="'g' has 1 tokens .* first 1 do not count"):
        tokenise(tmp_path, path, bos="none")
    with pytest.raises(DataError, match="no sentence is left of 1: .*passes tokens: 3"):
        tokenise(tmp_path, path, tokens=3)


@pytest.fixture
def dataset(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """FLORES on the hub: asked for is written down."""
    asked: list[Any] = []

    def load(repo: str, config: str, **given: Any) -> Any:
        asked.append((repo, config, given["split"]))
        if config != "eng_Latn":
            raise ValueError(f"BuilderConfig {config!r} not found. Available: eng_Latn")
        count = {"dev": 5, "devtest": 3}[given["split"]]
        split = given["split"]
        return [{"id": i + 1, "sentence": f" {split} {i} "} for i in range(count)]

    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


def flores(**changes: Any) -> dict[str, Any]:
    hub = {"repo": "facebook/flores", "revision": "0" * 40, "config": "{code}"}
    entry = {"unit": "document", "hub": hub, "text_column": "sentence"}
    entry |= {"codes": {"en": "eng_Latn", "vi": "vie_Latn", "hi": "hin_Deva"}}
    entry |= {"recorded": {"split": "dev"}, "held_out": {"split": "devtest"}}
    return entry | {"tokens": 100_000, "shuffle_seed": None} | changes


def with_corpus(entry: dict[str, Any], **changes: Any) -> Any:
    """Configure that everything of the tiny study reads a corpus of sentences."""
    raw = tiny()
    raw["corpora"]["said"] = entry
    own = {"default_corpus": "said", "activations": {"chunk_means": 2}}
    own["run"] = ["transfer", "perplexity"]
    return merge(raw, merge(own, changes))


def test_splits_of_a_hub_data_set_become_one_file(
    tmp_path: Path, dataset: list[Any]
) -> None:
    made = Specs(load(with_corpus(flores())))
    lang = SimpleNamespace(corpus="said", lang="en", model="demo")
    out = tmp_path / "en.jsonl"
    assert sentences.fetch(json.loads(made.fetch_text(lang)), out) == 8
    assert dataset == [
        ("facebook/flores", "eng_Latn", "dev"),
        ("facebook/flores", "eng_Latn", "devtest"),
    ]
    for tokenised, split, count in (
        (made.tokenise_corpus, "dev", 5),
        (made.hold_out_text, "devtest", 3),
    ):
        given = json.loads(tokenised(lang))
        assert given["code"] == "eng_Latn"
        names = (given["language"], given["code"])
        found = sentences.read([out], given["rows"], names)
        assert [one.text for one in found] == [f"{split} {i}" for i in range(count)]
    config = made.config
    assert result_paths.text(config, "said", "en") == ["results/text/said/en.jsonl"]
    assert "Latn" not in result_paths.tokens("said", "demo", "en")


def test_ranges_of_one_split(dataset: list[Any], tmp_path: Path) -> None:
    parts = {"recorded": {"split": "dev", "below": 3}}
    parts["held_out"] = {"split": "dev", "at_least": 3, "below": 4}
    made = Specs(load(with_corpus(flores(**parts), run=["transfer"])))
    given = json.loads(made.fetch_text(SimpleNamespace(corpus="said", lang="en")))
    assert given["parts"] == [{"split": "dev", "column": None, "below": 4}]
    assert sentences.fetch(given, tmp_path / "x.jsonl") == 4
    numbered = {key: rows | {"column": "id"} for key, rows in parts.items()}
    made = Specs(load(with_corpus(flores(**numbered), run=["transfer"])))
    given = json.loads(made.fetch_text(SimpleNamespace(corpus="said", lang="en")))
    assert given["parts"] == [{"split": "dev", "column": "id", "below": None}]
    assert sentences.fetch(given, tmp_path / "x.jsonl") == 5
    last = files.read_text(tmp_path / "x.jsonl").splitlines()[-1]
    assert json.loads(last) == {"number": 5, "split": "dev", "text": "dev 4"}


def test_what_the_hub_does_not_have(dataset: list[Any], tmp_path: Path) -> None:
    made = Specs(load(with_corpus(flores())))
    given = json.loads(made.fetch_text(SimpleNamespace(corpus="said", lang="vi")))
    with pytest.raises(DataError, match="'vie_Latn' not found. Available: eng_Latn"):
        sentences.fetch(given, tmp_path / "x.jsonl")
    given["code"] = "eng_Latn"
    given["text_column"] = "text"
    with pytest.raises(DataError, match="no column 'text'.*there are: id, sentence"):
        sentences.fetch(given, tmp_path / "x.jsonl")
    assert not (tmp_path / "x.jsonl").exists()


def local(folder: Path, **changes: Any) -> dict[str, Any]:
    """SIB-200 in a folder: sentences below 997 are recorded."""
    codes = {"en": "eng_Latn", "vi": "vie_Latn", "hi": "hin_Deva"}
    for code in codes.values():
        table(folder / code / "train.tsv", "1\tx\ta", "998\tx\tb")
        table(folder / code / "test.tsv", "5\tx\ta", "999\tx\tb")
    entry = {"unit": "document", "folder": str(folder), "codes": codes}
    entry |= {"recorded": SIB | {"below": 997}, "held_out": SIB | {"at_least": 997}}
    return entry | {"tokens": 100_000} | changes


def refused(*given: Any, **changes: Any) -> str:
    with pytest.raises(ConfigError) as error:
        load(with_corpus(*given, **changes))
    return str(error.value)


def test_local_files_by_code(tmp_path: Path) -> None:
    config = load(with_corpus(local(tmp_path)))
    wanted = [f"{tmp_path}/hin_Deva/{name}.tsv" for name in ("train", "test")]
    assert result_paths.text(config, "said", "hi") == wanted
    assert result_paths.text(config, "said", "hi", "held_out") == wanted
    specs = Specs(config)
    lang = SimpleNamespace(corpus="said", lang="hi", model="demo")
    with pytest.raises(ConfigError, match="no hub source; its text is in .*hin_Deva"):
        specs.fetch_text(lang)
    measured = SimpleNamespace(**vars(lang), shard=0, shards=1)
    assert json.loads(specs.measure_activations(measured)).keys() == {
        "architecture", "attn_implementation", "chunk_means", "contribution_top",
        "corpus", "family", "histogram_every", "language", "model", "shard", "shards",
        "skip_tokens", "unit",
    }  # fmt: skip
    # Of chunks nothing is said that was not said before there were sentences.
    chunks = {"corpus": "demo", "lang": "hi", "model": "demo"}
    told = json.loads(
        specs.measure_activations(SimpleNamespace(**chunks, shard=0, shards=1))
    )
    assert "unit" not in told and told["batch_chunks"]
    assert "unit" not in json.loads(specs.tokenise_corpus(SimpleNamespace(**chunks)))


def test_a_language_without_files_is_told_before_work(tmp_path: Path) -> None:
    entry = local(tmp_path)
    entry["codes"]["hi"] = "hin_Latn"
    told = refused(entry)
    assert "corpora.said.folder: no text for hi in" in told and "see codes" in told
    assert "hin_Latn/train.tsv" in told and "hin_Deva" in told
    same = {"files": ["eng_Latn/train.tsv"], "below": 1}
    entry = local(tmp_path, recorded=same, held_out=None, codes={})
    assert "corpora.said.recorded.files: 'eng_Latn/train.tsv' is the same" in refused(
        entry
    )


def test_perplexity_needs_sentences_that_are_held_out(tmp_path: Path) -> None:
    told = refused(local(tmp_path, held_out=None))
    assert "experiments.perplexity: corpora.said keeps no sentences aside" in told
    wanted = SIB | {"at_least": 997}
    told = refused(local(tmp_path, held_out=wanted | {"below": 1000}))
    assert "sentences, but corpora.said.held_out has 3 at most; lower chunks" in told
    enough = with_corpus(local(tmp_path, held_out=wanted | {"below": 1012}))
    assert load(enough)


def test_a_set_that_needs_a_loading_script_is_told_with_one_that_does_not() -> None:
    entry = flores()
    entry["hub"] = entry["hub"] | {"repo": "Muennighoff/flores200"}
    told = refused(entry)
    assert "corpora.said.hub.repo" in told and "use facebook/flores" in told


def test_values_over_means_need_means_and_so_many_rows(tmp_path: Path) -> None:
    largest = {"statistics": {"p_max": {"value": "max_of_means"}}}
    axes = {"statistics": ["p_max"], "control_statistics": [], "by_task": {}}
    changes = merge(largest, {"experiments": {"transfer": axes}})
    assert load(with_corpus(local(tmp_path), **changes)).corpus("said").sentences
    none = merge(changes, {"activations": {"chunk_means": 0}})
    told = refused(local(tmp_path), **none)
    assert (
        "statistics.p_max: value max_of_means is taken over the means of single" in told
    )
    assert "set activations.chunk_means" in told
    many = merge(changes, {"activations": {"chunk_means": 998}})
    told = refused(local(tmp_path), **many)
    assert "keeps, 998, but corpora.said.recorded has 997 at most" in told
    told = refused(local(tmp_path), **many, default_corpus="demo")
    assert "but corpora.demo.tokens has" in told
    quantile = merge(changes, {"statistics": {"p_max": {"quantile": "pooled"}}})
    told = refused(local(tmp_path), **quantile)
    assert "quantile: value max_of_means is no quantile" in told


def test_quantiles_of_batches_are_not_of_sentences(tmp_path: Path) -> None:
    told = refused(
        local(tmp_path),
        experiments={"transfer": {"statistics": ["p90_paper"], "by_task": {}}},
    )
    assert (
        "statistics.p90_paper: quantile batch_mean is not recorded of corpora.said"
        in told
    )
    assert "give quantile: pooled" in told
    for whose in ("same_lang_batchmean", "english"):
        parameters = {"threshold_population": whose, "contrast": "none"}
        method = {"profile": "paper", "parameters": parameters}
        told = refused(local(tmp_path), methods={"actprob": method})
        assert "methods.actprob: " in told and whose in told
        assert "with unit: document there are no batches" in told


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit": "chunk"}, "'recorded' is read with unit: document only"),
        ({"heldout_tokens": 512}, "'heldout_tokens' is read with unit: chunk only"),
        ({"shuffle_seed": 1}, "'shuffle_seed' is read with unit: chunk only"),
        ({"bos": "chunk"}, "unit document has no chunks"),
        ({"codes": {}}, "'codes' are what {code} stands for.*there are none"),
        ({"codes": {"en": "a", "vi": "a"}}, "two languages the same code"),
        ({"held_out": SIB}, "'recorded' and 'held_out' may share rows"),
        ({"held_out": SIB | {"column": None, "at_least": 997}}, "may share rows"),
        ({"recorded": {"split": "dev"}}, "a folder has no split"),
        ({"recorded": SIB | {"at_least": 5, "below": 5}}, "no row is numbered"),
        ({"recorded": SIB | {"files": ["{language}.tsv"]}}, "unknown placeholder"),
    ],
)
def test_entries_that_do_not_fit_together(
    changes: dict[str, Any], message: str
) -> None:
    entry = {"folder": "x", "unit": "document", "codes": {"en": "eng_Latn"}}
    entry |= {"recorded": SIB | {"below": 997}, "held_out": SIB | {"at_least": 997}}
    Corpus.model_validate(entry)
    with pytest.raises(ValueError, match=message):
        Corpus.model_validate(entry | changes)


def test_entries_of_the_hub_that_do_not_fit() -> None:
    Corpus.model_validate(flores())
    for changes, message in (
        ({"recorded": None}, "needs the split of its rows"),
        ({"held_out": {"split": "dev"}}, "may share rows"),
        ({"recorded": {"split": "dev", "files": ["a"]}}, "no files"),
        ({"fetch_bytes_per_token": 5}, "'fetch_bytes_per_token' is read with unit: ch"),
    ):
        with pytest.raises(ValueError, match=message):
            Corpus.model_validate(flores(**changes))
    chunks = {"hub": {"repo": "a/b", "revision": "0" * 40, "config": "{lang}"}}
    with pytest.raises(ValueError, match="'codes' .*nothing says {code}"):
        Corpus.model_validate(chunks | {"codes": {"en": "eng_Latn"}})


def test_writing_out_defaults_changes_nothing(tmp_path: Path) -> None:
    short = Corpus.model_validate(local(tmp_path))
    assert Corpus.model_validate(short.model_dump(mode="json")) == short


def test_real_parallel_sentences(shared_data: Path) -> None:
    """SIB-200: 510 sentences below 997, the same numbers in all languages."""
    numbers = set()
    for code in ("eng_Latn", "tha_Thai", "hin_Deva"):
        paths = [
            shared_data / "sib200" / code / f"{x}.tsv" for x in ("train", "dev", "test")
        ]
        found = sentences.read(paths, ROWS, ("x", code))
        assert len(found) == 510 and not any('""' in one.text for one in found)
        numbers.add(tuple(one.number for one in found))
        rest = sentences.read(
            paths, ROWS | {"at_least": 997, "below": None}, ("x", code)
        )
        assert len(rest) == 494
    assert len(numbers) == 1 and np.diff(numbers.pop()).min() > 0
    assert read("demo.yaml")["default_corpus"] == "demo"


def test_what_sentences_are_estimated_to_take(tmp_path: Path) -> None:
    """So many rows of some 50 tokens, and no more than are asked; no batches."""
    sizes = {"below": 500, "at_least": 100}
    entry = local(tmp_path, recorded=SIB | sizes, tokens=30_000)
    for tokens, wanted in ((30_000, 20_000), (5_000, 5_000)):
        config = load(with_corpus(entry | {"tokens": tokens}))
        estimates = JobEstimates(config)
        shard = SimpleNamespace(
            corpus="said", lang="en", model="demo", shard=0, shards=1
        )
        assert estimates.job("measure_activations", shard).tokens == wanted
        assert config.recorded("said").batch_quantiles == ()
        assert config.recorded("demo").batch_quantiles != ()
        assert estimates.job("tokenise_corpus", shard).tokens == wanted
        text = SimpleNamespace(corpus="said", lang="en", model="demo", part=1, parts=1)
        treated = estimates.parts.of_job(text)
        each = estimates.parts.estimates.treatment(treated.subject).tokens
        assert each == 50 * config.experiments["perplexity"].chunks


def test_an_edit_of_what_sentences_run_through_runs_their_jobs_anew(
    tmp_path: Path,
) -> None:
    scripts = shutil.copytree(ROOT / "workflow" / "scripts", tmp_path / "scripts")
    library = scripts / "langneurons"
    for name, before, after in (
        ("text/sentences.py", "found.sort(", "found.reverse(); found.sort("),
        ("text/sentence_tokens.py", "np.append(", "np.append(0 * "),
        ("nn/recording/sentences.py", "most = batches", "most = 2 * batches"),
    ):
        text = (library / name).read_text(encoding="utf-8")
        assert text.count(before) == 1
        (library / name).write_text(text.replace(before, after), encoding="utf-8")
    reads = ("tokenise_corpus", "hold_out_text", "measure_activations")
    for rule in (*reads, "measure_perplexity", "merge_activations"):
        same = code_hash(rule) == code_hash(rule, root=scripts)
        assert same == (rule == "merge_activations"), rule


def test_files_of_dev_are_not_those_of_devtest(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = "data/eng_Latn"
    listed = [f"{folder}/{x}-0.parquet" for x in ("dev", "devtest")] + ["dev.parquet"]
    api = "huggingface_hub.HfApi.list_repo_files"
    monkeypatch.setattr(api, lambda *given, **options: listed)
    for split in ("dev", "devtest"):
        _, found = hub._own_files("a/b", "0" * 40, "eng_Latn", split)
        assert found == [f"{folder}/{split}-0.parquet"]

"""Reading, filtering and packing text: disjoint held-out slices, clear refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from langneurons.config.errors import DataError
from langneurons.jobs import files, tensors
from langneurons.text import corpora, packing, token_files
from langneurons.text.language_identity import language_filter

BOS = 7


def encode(texts: list[str]) -> list[list[int]]:
    """Tokenise by words, which are numbers in these tests."""
    return [[int(word) for word in text.split()] for text in texts]


def spec(**changes: Any) -> dict[str, Any]:
    whole = {"corpus": "c", "language": "en", "tokens": 40, "heldout_tokens": 16}
    whole |= {"chunk_length": 8, "bos": "none", "shuffle_seed": 1}
    return whole | {"language_filter": None} | changes


def aside(
    documents: corpora.Documents,
    packed: packing.Packed,
    given: dict[str, Any],
    bos: Any,
) -> packing.HeldOut:
    """Hold out what is left after ``packed``."""
    used = packed.documents + packed.filtered
    return packing.hold_out(documents, encode, given, bos, used)


def numbered(path: Path, documents: int = 30, words: int = 3) -> corpora.Documents:
    """Write documents 100 100 100, 101 101 101, ..."""
    lines = [" ".join([str(100 + i)] * words) for i in range(documents)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return corpora.Documents(path)


def test_text_that_is_not_utf8_is_located(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_bytes("één\ngood\n".encode() + b"caf\xe9 au lait\n")
    with pytest.raises(DataError, match=r"byte 14 \(line 3\).*0xe9.*iconv"):
        corpora.Documents(path)


def test_missing_and_misnamed_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        corpora.Documents(tmp_path / "en.txt")
    with pytest.raises(DataError, match=r"named \.txt or \.jsonl"):
        corpora.Documents(tmp_path / "en.csv")


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    text = "\ufeffone\u2028still one\r\n\n   \ntwo\x85\x0cstill two\nthree"
    path.write_bytes(text.encode())
    documents = corpora.Documents(path)
    assert len(documents) == 3
    found = dict(documents.read(np.array([2, 0, 1])))
    assert list(found) == [2, 0, 1]
    assert found[0] == "one\u2028still one"
    assert found[1] == "two\x85\x0cstill two"
    assert found[2] == "three"


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "en.jsonl"
    path.write_text('{"text": "one\\nstill one"}\n{"text": " "}\n{"text": "two"}\n')
    documents = corpora.Documents(path)
    assert [t for _, t in documents.read(np.arange(2))] == ["one\nstill one", "two"]
    for bad in ("{", "[1]", '{"body": 1}', '"text"', '{"text": 1}'):
        path.write_text('{"text": "one"}\n' + bad + "\n")
        with pytest.raises(DataError, match="line 2"):
            corpora.Documents(path)


def test_text_that_is_no_text(tmp_path: Path) -> None:
    half = tmp_path / "half.jsonl"
    half.write_text('{"text": "one \\ud83d\\ude00"}\n{"text": "cut \\uD83D 5"}\n')
    with pytest.raises(DataError, match=r"half\.jsonl: line 2 .*surrogate.*ufffd"):
        corpora.Documents(half)
    deep = tmp_path / "deep.jsonl"
    deep.write_text("[" * 100_000)
    with pytest.raises(DataError, match="line 1 .*too deeply"):
        corpora.Documents(deep)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_lines_of_old_macs_are_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"en{suffix}"
    path.write_bytes(b'{"text": "a"}\r{"text": "b"}\r{"text": "c"}')
    with pytest.raises(DataError, match=r"old Macs.*tr '\\r' '\\n'"):
        corpora.Documents(path)
    path.write_bytes(b'{"text": "a"}\r\n{"text": "b"}\r\n')  # Windows
    assert len(corpora.Documents(path)) == 2


def test_order_of_the_source_is_kept_without_a_seed(tmp_path: Path) -> None:
    documents = numbered(tmp_path / "en.txt")
    packed = packing.pack(documents, encode, spec(shuffle_seed=None), None)
    held_out = aside(documents, packed, spec(shuffle_seed=None), None)
    expected = np.repeat(np.arange(100, 130), 3)
    assert packed.tokens.dtype == held_out.chunks.dtype == np.int32
    assert packed.tokens.shape == (5, 8)
    assert packed.tokens.ravel().tolist() == expected[:40].tolist()
    # Held out: documents from the end backwards.
    assert held_out.chunks.ravel().tolist() == expected[::-1][:16].tolist()
    assert (packed.documents, held_out.documents) == (14, 6)


@pytest.mark.parametrize("heldout_tokens", [8, 16, 32])
def test_holding_out_more_takes_nothing_from_identification(
    tmp_path: Path, heldout_tokens: int
) -> None:
    documents = numbered(tmp_path / "en.txt")
    given = spec(heldout_tokens=heldout_tokens)
    packed = packing.pack(documents, encode, given, BOS)
    assert np.array_equal(
        packed.tokens, packing.pack(documents, encode, spec(), BOS).tokens
    )
    held_out = aside(documents, packed, given, BOS)
    assert held_out.chunks.size == heldout_tokens
    # What was held out before is the beginning of what is held out now.
    most = aside(documents, packed, spec(heldout_tokens=32), BOS)
    assert np.array_equal(held_out.chunks, most.chunks[: len(held_out.chunks)])


def test_a_file_of_one_line_is_told_that_a_document_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    path.write_text(" ".join(["100"] * 500))
    documents = corpora.Documents(path)
    with pytest.raises(DataError, match="document is one line"):
        packing.pack(documents, encode, spec(tokens=40), None)
    # Where tokens are too few altogether, splitting lines would not help.
    with pytest.raises(DataError) as told:
        packing.pack(documents, encode, spec(tokens=4000), None)
    assert "line" not in str(told.value).partition("en.txt")[2]
    packed = packing.pack(documents, encode, spec(hold_out=False), None)
    assert packed.documents == 1


def test_bos_policies(tmp_path: Path) -> None:
    documents = numbered(tmp_path / "en.txt", words=2)

    def tokens(policy: str, bos: int | None = BOS) -> list[int]:
        wanted = spec(bos=policy, shuffle_seed=None, tokens=16)
        packed = packing.pack(documents, encode, wanted, bos)
        assert packed.tokens.shape == (2, 8)
        return packed.tokens.ravel().tolist()

    b = BOS
    assert tokens("document")[:9] == [b, 100, 100, b, 101, 101, b, 102, 102]
    chunked = [b, 100, 100, 101, 101, 102, 102, 103, b, 103, 104, 104, 105, 105]
    assert tokens("chunk")[:14] == chunked
    plain = [100, 100, 101, 101, 102, 102]
    assert tokens("none")[:6] == tokens("chunk", None)[:6] == plain
    assert tokens("document", None)[:6] == plain


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 12), min_size=20, max_size=60),
    bos=st.sampled_from(["document", "chunk", "none"]),
)
def test_document_starts(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], bos: str
) -> None:
    """From each start to the next there are the words of one document, and its BOS."""
    assume(sum(sizes) >= 8)  # a chunk
    path = tmp_path_factory.mktemp("text") / "en.txt"
    # A document without any token is an x.
    lines = [" ".join([str(100 + i)] * n) or "x" for i, n in enumerate(sizes)]
    path.write_text("\n".join(lines))

    def words(texts: list[str]) -> list[list[int]]:
        return encode([text.replace("x", "") for text in texts])

    tokens = max(8, sum(sizes) // 2)
    wanted = spec(tokens=tokens, hold_out=False, shuffle_seed=None, bos=bos)
    packed = packing.pack(corpora.Documents(path), words, wanted, BOS)
    flat, starts = packed.tokens.ravel(), packed.document_starts
    assert starts.dtype == np.int64 and starts[0] == 0
    assert len(starts) == packed.documents
    for i, part in enumerate(np.split(flat, starts[1:])):
        heads = np.flatnonzero(part == BOS)
        if bos == "document":
            assert heads.tolist() == [0]
        elif bos == "chunk":  # also in the middle, where a chunk begins
            assert ((starts[i] + heads) % 8 == 0).all()
        assert set(part[part != BOS].tolist()) <= {100 + i}
        last = i == len(starts) - 1
        assert last or len(part) - len(heads) == sizes[i]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=20, max_size=60),
    seed=st.integers(0, 5),
    bos=st.sampled_from(["document", "chunk", "none"]),
)
def test_held_out_documents_are_never_identified_on(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], seed: int, bos: str
) -> None:
    # A third is identified on, to the end of a document; a chunk is held out.
    assume(sum(sizes) - sum(sizes) // 3 - 11 >= 8)
    path = tmp_path_factory.mktemp("text") / "en.txt"
    lines = [" ".join([str(100 + i)] * n) for i, n in enumerate(sizes)]
    path.write_text("\n".join(lines))
    documents = corpora.Documents(path)
    wanted = spec(tokens=sum(sizes) // 3, heldout_tokens=8, shuffle_seed=seed, bos=bos)
    packed = packing.pack(documents, encode, wanted, BOS)
    held_out = aside(documents, packed, wanted, BOS)
    used, kept = (
        set(a.ravel().tolist()) - {BOS} for a in (packed.tokens, held_out.chunks)
    )
    assert not used & kept
    assert kept
    again = packing.pack(documents, encode, wanted, BOS)
    assert np.array_equal(packed.tokens, again.tokens)
    assert np.array_equal(held_out.chunks, aside(documents, again, wanted, BOS).chunks)


def test_seeds_give_different_orders(tmp_path: Path) -> None:
    documents = numbered(tmp_path / "en.txt")
    a, b = (packing.pack(documents, encode, spec(shuffle_seed=s), None) for s in (1, 2))
    assert not np.array_equal(a.tokens, b.tokens)


def test_batches_do_not_change_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = numbered(tmp_path / "en.txt")
    whole = packing.pack(documents, encode, spec(), BOS)
    monkeypatch.setattr(packing, "BATCH_CHARACTERS", 1)
    sizes: list[int] = []

    def watched(texts: list[str]) -> list[list[int]]:
        sizes.append(len(texts))
        return encode(texts)

    single = packing.pack(documents, watched, spec(), BOS)
    assert max(sizes) == 1 and len(sizes) > 10  # so it was in batches
    assert np.array_equal(whole.tokens, single.tokens)
    assert (whole.documents, whole.filtered) == (single.documents, single.filtered)
    second = aside(documents, single, spec(), BOS)
    monkeypatch.undo()
    assert np.array_equal(aside(documents, whole, spec(), BOS).chunks, second.chunks)


def test_repeats_of_identification_text_are_not_held_out(tmp_path: Path) -> None:
    path = tmp_path / "en.txt"
    first = ["1 1 1 1", "2 2 2 2"]
    path.write_text("\n".join([*first, "3 3 3 3", "4 4 4 4", *first]) + "\n")
    wanted = spec(tokens=8, heldout_tokens=8, chunk_length=4, shuffle_seed=None)
    documents = corpora.Documents(path)
    packed = packing.pack(documents, encode, wanted, None)
    held_out = aside(documents, packed, wanted, None)
    assert packed.tokens.tolist() == [[1] * 4, [2] * 4]
    assert held_out.chunks.tolist() == [[4] * 4, [3] * 4]
    assert held_out.repeated == 2


def test_too_few_tokens_is_one_clear_error(tmp_path: Path) -> None:
    documents = numbered(tmp_path / "en.txt", documents=10)  # 30 tokens
    with pytest.raises(DataError) as caught:
        packing.pack(documents, encode, spec(tokens=40), None)
    message = str(caught.value)
    assert "corpus 'c', language 'en'" in message
    assert "24 tokens from its 10 documents" in message
    assert "but 40 are asked" in message
    assert "Lower corpora.c.tokens" in message
    assert "fetch_bytes_per_token" not in message
    # With BOS, more tokens come of as much text: one a document, or one a chunk.
    for bos, have in (("document", 40), ("chunk", 32)):
        with pytest.raises(DataError, match=f"gives {have} tokens from its 10 doc"):
            packing.pack(documents, encode, spec(tokens=80, bos=bos), BOS)
    packed = packing.pack(documents, encode, spec(tokens=24), None)
    with pytest.raises(DataError, match=r"after those for identification, but 16 are"):
        aside(documents, packed, spec(), None)
    path = tmp_path / "en.jsonl"
    path.write_text(json.dumps({"text": "1 2 3"}) + "\n")
    with pytest.raises(DataError, match=r"raise corpora\.c\.fetch_bytes_per_token"):
        packing.pack(corpora.Documents(path), encode, spec(), None)


def test_no_held_out_slice(tmp_path: Path) -> None:
    documents = numbered(tmp_path / "en.txt")
    packed = packing.pack(documents, encode, spec(hold_out=False), None)
    held_out = aside(documents, packed, spec(heldout_tokens=0), None)
    assert held_out.chunks.shape == (0, 8)
    assert held_out.documents == 0


def test_language_filter(tmp_path: Path) -> None:
    pytest.importorskip("pycld2", reason="the language filter needs pycld2")
    english = "The committee will meet again on Thursday to discuss the new proposal."
    hindi = "समिति नए प्रस्ताव पर चर्चा करने के लिए गुरुवार को फिर से बैठक करेगी।"
    chinese = "委員會將於星期四再次開會討論新的提案。"
    keep = language_filter("en", 80)
    assert keep(english)
    assert keep(english + "\x07")  # pycld2 itself refuses control characters
    assert not keep(hindi)
    assert not keep(hindi + english)
    assert language_filter("zh", 80)(chinese)
    with pytest.raises(DataError, match="does not know language 'xx'"):
        language_filter("xx", 80)

    path = tmp_path / "en.txt"
    path.write_text("\n".join([english, hindi] * 6) + "\n", encoding="utf-8")
    wanted = spec(language_filter={"minimum_percent": 80}, tokens=48, hold_out=False)

    def initials(texts: list[str]) -> list[list[int]]:
        return [[ord(word[0]) for word in text.split()] for text in texts]

    packed = packing.pack(corpora.Documents(path), initials, wanted, None)
    assert packed.tokens.max() < 128
    assert packed.documents == 4
    assert packed.filtered > 0
    with pytest.raises(DataError, match="6 documents failed language_filter"):
        packing.pack(corpora.Documents(path), initials, wanted | {"tokens": 400}, None)


def test_the_language_filter_reads_all_of_the_text() -> None:
    pytest.importorskip("pycld2", reason="optional: pip install pycld2")
    vi = (
        "Hà Nội là thủ đô của Việt Nam, nằm ở vùng đồng bằng sông Hồng. Thành phố có "
        "lịch sử lâu đời và nhiều di tích văn hóa quan trọng. "
    )
    en = (
        "The city is the capital of the country and has a long history with many "
        "important monuments that people like to visit. "
    )
    keep = language_filter("vi", 80)
    # CLD2 takes text for HTML, unless told, and skips what follows a "<".
    assert keep("Nếu a < b thì " + vi * 2)
    assert not keep(vi + "p <0.05 " + en * 6)
    assert keep("\x01 Nếu a < b thì " + vi * 2)  # also where it refuses the text first
    assert not keep(vi + "\x01 p <0.05 " + en * 6)


def test_tokens_and_manifest_on_disk(tmp_path: Path) -> None:
    text = tmp_path / "en.txt"
    numbered(text)
    model = {"model": "m", "model_revision": "r"}
    given = spec(bos="document")

    def run(name: str) -> tuple[list[Path], list[dict[str, Any]]]:
        out, side = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.json"
        rest = tmp_path / f"{name}.heldout.safetensors"
        beside = tmp_path / f"{name}.heldout.json"
        how = [text], encode, BOS, model, given
        token_files.tokenise(*how, out, side)
        token_files.set_aside(*how, side, rest, beside)
        return [out, rest], [files.read_json(side), files.read_json(beside)]

    (out, rest), (manifest, held_out) = run("a")
    arrays, _ = tensors.read(out)
    assert sorted(arrays) == ["document_starts", "tokens"]
    assert arrays["document_starts"].tolist() == list(range(0, 40, 4))
    assert arrays["tokens"].shape == (5, 8)
    assert tensors.read(rest)[0]["heldout"].shape == (2, 8)
    assert manifest["tokens"] == 40
    assert held_out["heldout_tokens"] == 16
    assert manifest["tokens_sha256"] == files.sha256(out)
    for one in (manifest, held_out):
        assert one["text_sha256"] == files.sha256(text)
        assert (one["bos"], one["bos_id"]) == ("document", BOS)
        assert (one["model"], one["model_revision"]) == ("m", "r")
    again, second = run("b")
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in (out, rest)]
    assert second == [manifest, held_out]


def test_what_is_held_out_must_be_of_the_same_text(tmp_path: Path) -> None:
    text, out, side = (tmp_path / n for n in ("en.txt", "a.safetensors", "a.json"))
    numbered(text)
    how = [text], encode, BOS, {"model": "m", "model_revision": "r"}, spec()
    token_files.tokenise(*how, out, side)
    numbered(text, documents=40)
    rest = tmp_path / "rest.safetensors", tmp_path / "rest.json"
    with pytest.raises(DataError, match="another text"):
        token_files.set_aside(*how, side, *rest)


def test_real_text_of_sixteen_languages(shared_data: Path) -> None:
    folder = shared_data / "corpus16"
    for path in sorted(folder.glob("??.txt")):
        documents = corpora.Documents(path)
        wanted = spec(tokens=4096, heldout_tokens=1024, chunk_length=128)

        def characters(texts: list[str]) -> list[list[int]]:
            return [list(text.encode()) for text in texts]

        packed = packing.pack(documents, characters, wanted, 256)
        used = packed.documents + packed.filtered
        held_out = packing.hold_out(documents, characters, wanted, 256, used)
        assert packed.tokens.shape == (32, 128), path.stem
        assert held_out.chunks.shape == (8, 128), path.stem

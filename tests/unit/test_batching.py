"""The micro-batch that fits: found once, kept for later jobs, halved where it fails."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import test_classification as pair_tests
import test_generation as generation_tests
from langneurons.config.errors import LangneuronsError
from langneurons.jobs import batching, cli, files
from langneurons.jobs.batching import MicroBatch
from langneurons.jobs.gpus import out_of_memory
from langneurons.nn.recording.measuring import record
from langneurons.nn.recording.recorder import Recorder
from test_classification import predict
from test_perplexity import chunk_nll
from tiny_models import build, tokens


class FakeGpu:
    """Memory for so many sequences, and a clock that their number moves."""

    name, gib = "Fake H1 (PCIe)", 80

    def __init__(self, holds=64, used=lambda rows: 0.5):
        self.holds, self.used, self.time, self.freed = holds, used, 0.0, 0
        self.rows = 0

    def wait(self):
        pass

    def free(self):
        self.freed += 1

    def reset_peak(self):
        self.rows = 0

    def peak(self):
        return self.used(self.rows)

    def clock(self):
        return self.time

    def run(self, rows, seconds):
        """Run some sequences, if there is memory."""
        self.rows = max(self.rows, rows)
        if rows > self.holds:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        self.time += seconds


@pytest.fixture
def make(tmp_path):
    """Return a function that makes what one job has, and its fake GPU."""

    def job(given=16, gpu=None, **changes):
        gpu = gpu or FakeGpu()
        options = {"model": "m r nf4", "folder": tmp_path / "kept", **changes}
        return MicroBatch(given, gpu, clock=gpu.clock, **options), gpu

    return job


def settle(batches, gpu, rows=10_000, length=512, work="record", seconds=None):
    """Settle; return the sizes that were tried."""
    tried = []
    seconds = seconds or (lambda rows: 1 + rows / 100)

    def trial(count, timer):
        tried.append(count)
        return timer(lambda: gpu.run(count, seconds(count)))

    batches.settle(work, length, rows, trial)
    return tried


def kept(folder):
    return [files.read_json(path) for path in folder.glob("*.json")]


def test_grows_until_memory_runs_out_and_later_jobs_reuse_it(make, tmp_path, capsys):
    notes = {}
    first, gpu = make(notes=notes)
    assert settle(first, gpu) == [16, 32, 64, 128]
    assert first.size == notes["micro_batch"] == 64 and gpu.freed >= 4
    (found,) = kept(tmp_path / "kept")
    assert (found["micro_batch"], found["ended"]) == (64, "memory")
    assert (found["gpu"], found["gib"], found["length"]) == (gpu.name, 80, 512)
    assert settle(first, gpu) == []  # once a job
    second, gpu = make()
    assert settle(second, gpu) == [] and second.size == 64
    assert "64, found by an earlier job" in capsys.readouterr().err


def test_grows_until_it_is_not_faster(make, tmp_path):
    # Sequences a second: 16, then 32 at twice the time less 4 %, which is no gain.
    seconds = {16: 1.0, 32: 1.0, 64: 2 * 0.96}
    batches, gpu = make()
    assert settle(batches, gpu, seconds=seconds.get) == [16, 32, 64]
    assert batches.size == 32
    assert kept(tmp_path / "kept")[0]["ended"] == "speed"


def test_stays_away_from_the_end_of_memory(make):
    batches, gpu = make(gpu=FakeGpu(64, used=lambda rows: rows / 70))
    assert settle(batches, gpu) == [16, 32, 64]  # 64 fit, but would take 91 %
    assert batches.size == 32


def test_shrinks_from_a_resource_that_does_not_fit(make, tmp_path):
    batches, gpu = make(gpu=FakeGpu(5))
    assert settle(batches, gpu) == [16, 8, 4]
    assert batches.size == 4
    assert kept(tmp_path / "kept")[0]["ended"] == "memory"


def test_few_sequences_are_no_reason_to_stop_for_others(make):
    batches, gpu = make()
    assert settle(batches, gpu, rows=40) == [16, 32]
    batches, gpu = make()
    assert settle(batches, gpu, rows=40) == [] and batches.size == 32
    batches, gpu = make()
    assert settle(batches, gpu, rows=70) == [32, 64]
    assert batches.size == 64
    batches, gpu = make()
    assert settle(batches, gpu, rows=16, length=100) == []  # all in one batch anyway


def test_long_sequences_limit_the_trials(make, tmp_path):
    batches, gpu = make()
    length = batching.LARGEST_TOKENS // 32
    assert settle(batches, gpu, length=length) == [16, 32]
    assert kept(tmp_path / "kept")[0]["ended"] == "limit"


@pytest.mark.parametrize(
    "other",
    [
        {"work": "perplexity"},
        {"length": 256},
        {"model": "m r none"},
        {"name": "Fake H1 PCIe"},  # the same letters
        {"gib": 40},
    ],
)
def test_findings_are_of_one_model_work_length_and_gpu(make, tmp_path, other):
    batches, gpu = make()
    settle(batches, gpu)
    gpu = FakeGpu()
    for key in {"name", "gib"} & set(other):
        setattr(gpu, key, other.pop(key))
    changes = {"model": other.pop("model")} if "model" in other else {}
    batches, gpu = make(gpu=gpu, **changes)
    assert settle(batches, gpu, **other) != []
    assert len(kept(tmp_path / "kept")) == 2


def test_a_smaller_resource_is_a_retry_and_taken_as_it_is(make, tmp_path, capsys):
    batches, gpu = make()
    settle(batches, gpu)
    retry, gpu = make(given=8)
    assert settle(retry, gpu) == [] and retry.size == 8
    assert "8 as given, less than 16 before" in capsys.readouterr().err
    gpu.holds = 4
    retry.each(range(8), lambda rows: gpu.run(len(rows), 1))
    assert retry.size == 4
    assert kept(tmp_path / "kept")[0]["micro_batch"] == 64  # of no concern to others


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"format": "langneurons/micro-batch/1"}',
        b'{"format": "x/0", "given": 16, "micro_batch": 64, "ended": "speed"}',
        b'{"format": "langneurons/micro-batch/1", "given": 16, "micro_batch": 0, '
        b'"ended": "speed"}',
        b'{"format": "langneurons/micro-batch/1", "given": 16, "micro_batch": "64", '
        b'"ended": "speed"}',
        None,  # a folder of that name
    ],
)
def test_a_damaged_finding_is_ignored_in_one_line(make, tmp_path, capsys, content):
    batches, gpu = make()
    settle(batches, gpu)
    (path,) = (tmp_path / "kept").glob("*.json")
    path.unlink()
    if content is None:
        (path / "inside").mkdir(parents=True)
    else:
        path.write_bytes(content)
    capsys.readouterr()
    batches, gpu = make()
    assert settle(batches, gpu) == [16, 32, 64, 128] and batches.size == 64
    printed = capsys.readouterr().err
    assert printed.count("is ignored") == 1
    if content is None:
        assert "not kept for later jobs" in printed
    else:
        assert files.read_json(path)["micro_batch"] == 64


def test_a_folder_that_cannot_be_written_costs_the_finding_only(make, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    batches, gpu = make(folder=tmp_path / "file" / "kept")
    settle(batches, gpu)
    assert batches.size == 64
    assert "not kept for later jobs" in capsys.readouterr().err


def test_jobs_that_write_at_once_leave_whole_files(make, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    def job(number):
        batches, gpu = make(model=f"m{number % 3}")
        settle(batches, gpu)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(job, range(24)))
    assert sorted(found["model"] for found in kept(tmp_path / "kept")) == [
        "m0", "m1", "m2",
    ]  # fmt: skip
    assert {path.suffix for path in (tmp_path / "kept").iterdir()} == {".json"}


def test_a_cpu_uses_what_is_given(tmp_path):
    batches = MicroBatch(16, None, folder=tmp_path / "kept")
    batches.settle("record", 512, 1000, lambda rows, timer: pytest.fail("a trial"))
    assert batches.size == 16 and not (tmp_path / "kept").exists()
    with pytest.raises(ValueError, match="holds no sequence"):
        MicroBatch(0)


def test_only_what_failed_is_done_again(make, tmp_path, capsys):
    batches, gpu = make()
    settle(batches, gpu, rows=10_000)
    assert batches.size == 64
    done, calls = [], []

    def work(rows):
        calls.append(len(rows))
        gpu.run(len(rows), 1)
        done.extend(rows)
        gpu.holds = 20  # another program takes memory after the first part

    capsys.readouterr()
    batches.each(range(150), work)
    assert done == list(range(150))
    assert calls == [64, 64, 32, 16, 16, 16, 16, 16, 6]
    assert capsys.readouterr().err.count("because memory ran out") == 2
    assert kept(tmp_path / "kept")[0]["micro_batch"] == 16  # later jobs know


def test_a_single_sequence_that_does_not_fit_is_a_clear_error(make):
    batches, gpu = make(gpu=FakeGpu(0))
    with pytest.raises(LangneuronsError, match="single sequence does not fit"):
        batches.each(range(10), lambda rows: gpu.run(len(rows), 1))
    with pytest.raises(LangneuronsError, match=r"of Fake H1.*more GPUs"):
        settle(batches, gpu)


def test_other_errors_are_not_swallowed():
    def work(rows):
        raise RuntimeError("CUDA error: device-side assert triggered")

    with pytest.raises(RuntimeError, match="assert"):
        MicroBatch(4).each(range(8), work)
    assert out_of_memory(torch.OutOfMemoryError("x"))
    assert out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when"))
    assert not out_of_memory(MemoryError())


class Scarce:
    """Memory for so many sequences, or tokens, of a model; passes fail in a layer."""

    def __init__(self, module, holds, layer, count_tokens=False):
        self.holds, self.failed, self.largest = holds, 0, 0
        self.count_tokens = count_tokens
        module.register_forward_pre_hook(self._see, with_kwargs=True)
        layer.register_forward_pre_hook(self._fail)

    def _see(self, module, args, kwargs):
        self.rows = len(kwargs["input_ids"])
        if self.count_tokens:  # the remembered ones as well
            self.rows = kwargs["attention_mask"].numel()

    def _fail(self, module, args):
        if self.rows > self.holds:
            self.failed += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.largest = max(self.largest, self.rows)


def test_recording_counts_nothing_twice():
    """The pass fails in the second layer, when the first has been recorded."""
    model, chunks = build("llama", "base"), tokens(23, 9)
    given = {
        "batch_chunks": 4, "histogram_every": 3, "label": "x", "family": "llama",
        "batch_quantiles": ["gate_pre"], "chunk_means": 5, "contribution_top": 0.2,
    }  # fmt: skip
    wanted, about = record(model, chunks, 0, micro_batch=2, **given)
    scarce = Scarce(model, 5, model.layers[1].mlp.down_proj)
    found, same = record(model, chunks, 0, micro_batch=8, **given)
    assert scarce.failed == 1 and scarce.largest == 4
    assert same == about and found.keys() == wanted.keys()
    for key in wanted:
        np.testing.assert_array_equal(found[key], wanted[key], err_msg=key)
    Scarce(model, 3, model.layers[1].mlp.down_proj)
    with pytest.raises(LangneuronsError, match="4 sequences do not fit"):
        record(model, chunks, 0, micro_batch=8, **given)


def test_recording_finds_its_size_with_a_recorder_that_is_thrown_away(
    make, monkeypatch
):
    made = []
    original = Recorder.__enter__
    monkeypatch.setattr(
        Recorder, "__enter__", lambda self: made.append(self) or original(self)
    )
    model, chunks = build("llama", "base"), tokens(23, 9)
    given = {
        "batch_chunks": 4, "histogram_every": 3, "label": "x",
        "batch_quantiles": ["gate_pre"],
    }  # fmt: skip
    wanted, _ = record(model, chunks, 0, micro_batch=4, **given)
    scarce = Scarce(model, 5, model.layers[1].mlp.down_proj)
    clock = itertools.count()  # each trial takes one second
    batches, _ = make(given=2)
    batches._clock = lambda: next(clock)
    found, _ = record(model, chunks, 0, micro_batch=batches, **given)
    assert (scarce.failed, batches.size) == (1, 4)  # 2, 4, and 8 failed
    assert len(made) == 1 + 5 + 1  # one more for each of the two trials that fit
    for key in wanted:
        np.testing.assert_array_equal(found[key], wanted[key], err_msg=key)


def test_perplexity_goes_on_with_half(make):
    model, chunks = build("llama"), tokens(11, 12)
    wanted = chunk_nll(model, chunks, 11)
    scarce = Scarce(model.model, 3, model.model.layers[1])
    assert np.allclose(chunk_nll(model, chunks, 8), wanted, atol=1e-6)
    assert (scarce.failed, scarce.largest) == (2, 2)
    batches, _ = make(given=1)
    ticks = itertools.count()
    batches._clock = lambda: next(ticks)
    assert np.allclose(chunk_nll(model, chunks, batches), wanted, atol=1e-6)
    assert batches.size == 2


def test_classification_goes_on_with_half():
    tokenizer = pair_tests.word_tokenizer()
    data = pair_tests.encoded(tokenizer, pair_tests.make_items(9))
    model = build("llama", "classifier")
    wanted = predict(model, data, 9)
    scarce = Scarce(model.model, 3, model.model.layers[1])
    assert np.allclose(predict(model, data, 9), wanted, atol=1e-5)
    assert (scarce.failed, scarce.largest) == (2, 2)


@pytest.mark.parametrize(("window", "holds"), [(None, 97), (14, 66)])
def test_generation_goes_on_with_half(window, holds):
    """Memory runs out in the middle of an answer, as the cache of five rows grows."""
    model = generation_tests.exact("llama")
    given = generation_tests.raw()
    wanted = generation_tests.generate(model, given, 3, window=window)
    scarce = Scarce(model.model, holds, model.model.layers[1], count_tokens=True)
    assert generation_tests.generate(model, given, 5, window=window) == wanted
    assert scarce.failed and scarce.largest > 0.5 * holds


def test_generation_finds_its_size(make):
    model = generation_tests.exact("llama")
    given = generation_tests.raw()
    wanted = generation_tests.generate(model, given, 3)
    scarce = Scarce(model.model, 3, model.model.layers[1])
    batches, _ = make(given=1)
    ticks = itertools.count()
    batches._clock = lambda: next(ticks)
    assert generation_tests.generate(model, given, batches) == wanted
    assert (batches.size, scarce.failed) == (2, 1)


def test_a_job_fits_its_micro_batch_and_says_which(tmp_path, monkeypatch):
    manifest = {"model": "tiny", "revision": "r", "quantization": "none"}
    files.write_json(tmp_path / "manifest.json", manifest)

    def main(job):
        assert job.batches is job.batches and job.batches.model == "tiny r none"
        assert job.batches.device is None or torch.cuda.is_available()
        job.batches.whole(9, lambda: failing(job.batches.size))
        job.outputs["out"].write_text("y")

    def failing(size):
        if size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    given = ["--model", tmp_path / "manifest.json", "--out", tmp_path / "out"]
    line = ["rule.py", *map(str, given), "--micro-batch", "9", "--spec", "{}"]
    monkeypatch.setattr(sys, "argv", line)
    monkeypatch.chdir(tmp_path)
    cli.run(main, "Doc.", inputs=["model"])
    made = json.loads(Path("out.provenance.json").read_text())
    assert made["micro_batch"] == 2 and made["spec"] == {}

"""Rules about the code itself that a reader relies on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = ROOT / "workflow" / "scripts"
LIBRARY = SCRIPTS / "langneurons"
LIBRARIES = {
    "accelerate", "bitsandbytes", "datasets", "evaluate", "numpy", "pandas", "peft",
    "safetensors", "scipy", "snakemake", "tokenizers", "torch", "transformers",
}  # fmt: skip


def modules() -> list[str]:
    paths = [p for p in LIBRARY.rglob("*.py") if "nn" not in p.parts]
    names = [".".join(p.relative_to(SCRIPTS).with_suffix("").parts) for p in paths]
    return [n.removesuffix(".__init__") for n in names]


def test_everything_outside_nn_imports_without_torch() -> None:
    code = (
        "import sys, importlib\n"
        f"for name in {modules()!r}: importlib.import_module(name)\n"
        "heavy = {'torch', 'transformers', 'datasets', 'peft'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS, check=True)


def test_no_script_shadows_a_library() -> None:
    taken = LIBRARIES | set(sys.stdlib_module_names)
    assert not taken & {p.stem for p in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ("Snakefile", 60),
        ("workflow/rules/*.smk", 150),
        ("workflow/scripts/*.py", 60),
        ("workflow/scripts/langneurons/**/*.py", 400),
    ],
)
def test_files_stay_short(pattern: str, longest: int) -> None:
    lengths = {p.name: len(p.read_text().splitlines()) for p in ROOT.glob(pattern)}
    assert lengths
    assert {k: v for k, v in lengths.items() if v > longest} == {}


def test_each_rule_has_a_script_of_its_name_and_a_docstring() -> None:
    import re

    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        assert text.startswith("# Needs:"), path
        for rule in re.findall(r"^ *rule (\w+):", text, re.MULTILINE):
            assert (SCRIPTS / f"{rule}.py").is_file(), rule
            assert re.search(rf"rule {rule}:\n +\"\"\"", text), rule

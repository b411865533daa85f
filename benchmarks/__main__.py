"""Run the benchmarks, print their table and write it with a picture.

Whatever is named is checked before anything runs; docs/performance.md says how to read
the results.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from langneurons.config.errors import LangneuronsError

from . import picture, shapes, suite


def main(arguments: list[str] | None = None) -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    known = ", ".join(suite.BENCHMARKS)
    parser.add_argument("--only", nargs="+", metavar="NAME", help=f"of: {known}")
    known = "; ".join(f"{name}: {s.what}" for name, s in shapes.SHAPES.items())
    parser.add_argument("--shapes", nargs="+", metavar="NAME", help=known)
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder; default: results"
    )
    given = parser.parse_args(arguments)
    try:
        todo = suite.jobs(given.only, given.shapes, given.device, given.repeats)
        rows = suite.run(todo)
        stem = given.out / "benchmarks"
        suite.write(rows, stem.with_suffix(".tsv"))
        print(suite.text(rows), flush=True)
        endings = ["tsv"]
        if picture.panels(rows):  # there may be seconds only, without a target
            picture.draw(rows, stem)
            endings += ["png", "svg"]
    except LangneuronsError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    print(f"\nwritten: {', '.join(f'{stem}.{e}' for e in endings)}")


if __name__ == "__main__":
    main()

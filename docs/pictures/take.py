"""Take the pictures of README.md and docs/results.md from finished runs.

``python docs/pictures/take.py results/demo`` (``make pictures``) photographs the report
with headless Chromium and copies the figures listed below, made smaller. Nothing else
is computed. Pictures whose figure is not there stay as they are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
PAGE = (1280, 1500)
"""Size of the window that the report is shown in, in pixels."""
WIDTH = 1000
"""Largest width of a picture, in pixels."""
LARGEST = 150_000
"""Bytes of a picture; one with more gets fewer colours."""
FIGURES = {
    "demo": {"neurons_off": "demo/nll.lape.world.zero.png"},
    "small": {
        "steering": "gemma3-270m/ladder.mlama.png",
        "bridges": "gemma3-270m/bridged.bli.png",
    },
    "smollm2": {"neurons_off_smollm2": "smollm2-135m/nll.lape.all16.zero.png"},
}
"""Pictures by study: name -> figure in ``figures/``."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def shrink(source: Path, target: Path, colours: int = 128) -> None:
    """Write a picture at most ``WIDTH`` wide, in few colours and bytes."""
    picture = Image.open(source).convert("RGB")
    if picture.width > WIDTH:
        height = round(picture.height * WIDTH / picture.width)
        picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
    picture.quantize(colours).save(target, optimize=True)
    while colours > 16 and target.stat().st_size > LARGEST:
        colours //= 2
        picture.quantize(colours).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size // 1000} kB")


def photograph(page: Path, target: Path) -> None:
    """Take what a browser shows of a page before anybody scrolls."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no browser was found: {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars"]
        command += [f"--window-size={PAGE[0]},{PAGE[1]}", f"--screenshot={shot}"]
        subprocess.run([*command, page.resolve().as_uri()], check=True, timeout=120)
        shrink(shot, target, 16)


def main(results: Path) -> None:
    """Take the pictures of one study."""
    if results.name == "demo":
        photograph(results / "report.html", HERE / "report.png")
    for name, figure in FIGURES[results.name].items():
        source = results / "figures" / figure
        if source.is_file():
            shrink(source, HERE / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

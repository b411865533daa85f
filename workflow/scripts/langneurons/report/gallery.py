"""Figures of the page, embedded as they are: SVG inside ``data:`` addresses."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from langneurons.figures.captions import CAPTIONS

from .inputs import Absent, command

LARGEST = 2_000_000
"""Bytes; a larger figure is named, not embedded, so that the page stays readable."""

STEERING = ("lss", "lss_plus", "change", "ladder", "damage")
"""Kinds of figures of amplification."""

BRIDGES = ("bridged", "gain", "by_layer")
"""Kinds of figures of bridges."""

ALIGNMENT = ("aligned", "transfer")
"""Kinds of figures of alignment."""

WIDE = 360
"""Points (5 inches) from which a figure gets the whole width."""


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: its path below ``figures``, without ending.
        group: heading under which it is shown.
        caption: what it shows.
        address: ``data:`` address of the SVG; "" if it is too large.
        path: the file.
        size: bytes.
        is_wide: whether it is made for the width of a page, not of a column.
    """

    name: str
    group: str
    caption: str
    address: str
    path: str
    size: int
    is_wide: bool


def read(path: Path) -> Picture:
    """Read a figure. As an image its identifiers and styles stay to themselves."""
    data = path.read_bytes()
    parts = path.with_suffix("").parts
    if "figures" in parts:
        parts = parts[len(parts) - parts[::-1].index("figures") :]
    address = ""
    if len(data) <= LARGEST:
        address = "data:image/svg+xml;base64," + base64.b64encode(data).decode("ascii")
    kind, _, of = parts[-1].partition(".")
    caption = _said(data) or CAPTIONS.get(kind, parts[-1])
    if of:
        caption = f"{of}: {caption}"
    return Picture(
        name="/".join(parts),
        group=_group(parts),
        caption=caption,
        address=address,
        path=str(path),
        size=len(data),
        is_wide=_points(data) > WIDE,
    )


def _said(data: bytes) -> str:
    """Return what an SVG file says of itself, as ``figures.save`` wrote it; or ""."""
    match = re.search(rb"<dc:description>(.*?)</dc:description>", data, re.DOTALL)
    return html.unescape(match[1].decode("utf-8")) if match else ""


def _points(data: bytes) -> float:
    """Return the width that an SVG file says it has, in points; 0 if it does not."""
    match = re.search(rb'<svg\b[^>]*?\swidth="([0-9.]+)pt"', data[:4000])
    return float(match[1]) if match else 0.0


def _group(parts: Sequence[str]) -> str:
    """Name the heading of a figure from its place (see ``study/targets.py``)."""
    if len(parts) == 1:
        return "Other figures"
    if parts[0] == "published":
        return f"Published neurons: {parts[1].replace('.', ', ', 1)}"
    if parts[0] == "profiles":
        return "The paper's sites against equal sites"
    kind = parts[-1].partition(".")[0]
    if kind in ("perplexity", "nll"):
        return f"Perplexity: {parts[0]}"
    if kind in STEERING:
        return f"Amplification: {parts[0]}"
    if kind in BRIDGES:
        return f"Bridges: {parts[0]}"
    if kind in ALIGNMENT:
        return f"Alignment: {parts[0]}"
    if kind == "training_curves":
        return f"Training: {parts[0]}"
    if kind in ("forest", "size", "sweep"):
        return f"Effects: {parts[0]}"
    return f"Neurons: {', '.join(parts[:-1])}"


def grouped(
    pictures: Sequence[Picture], effects_first: bool
) -> list[tuple[str, list[Picture]]]:
    """Put pictures under their headings, published neurons last.

    Args:
        pictures: the figures of the page.
        effects_first: whether effects are what its study asks for, or details of
            amplification and bridges.
    """
    order = ["Amplification", "Bridges", "The paper", "Perplexity"]
    order.insert(0 if effects_first else 2, "Effects")
    order += ["Neurons", "Training", "Other", "Published"]

    def place(group: str) -> tuple[int, str]:
        first = [i for i, front in enumerate(order) if group.startswith(front)]
        return (first[0] if first else len(order), group)

    groups = sorted({p.group for p in pictures}, key=place)
    return [
        (group, sorted((p for p in pictures if p.group == group), key=lambda p: p.name))
        for group in groups
    ]


def absent(
    pictures: Sequence[Picture], asked: Mapping[str, str], options: str
) -> list[Absent]:
    """List the kinds of figures that are asked for, of which this page has none.

    Args:
        pictures: the figures of the page.
        asked: the first figure of each kind.
        options: with which Snakemake reads the configuration.
    """
    shown = {Path(p.name).name.partition(".")[0] for p in pictures}
    return [
        Absent(kind, CAPTIONS[kind], command(path, options))
        for kind, path in asked.items()
        if kind not in shown
    ]

"""A hash of the code that a job runs, so that an edit reruns what it affects.

The hash covers the script and what it uses of our own modules, definition by
definition and transitively, from the syntax tree: comments, docstrings, words about
keys and columns and layout do not count, and neither does a definition that the script
never reaches, what is imported for types only, nor the module that a definition stands
in: moving a function changes nothing. Modules that only report, parse arguments, write
files or size jobs cannot change a result and are left out.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .known_hashes import KnownHashes
from .syntax import Plain, bound_by, is_for_types, without_docstrings

SCRIPTS = Path(__file__).parents[2]
PACKAGE = Path(__file__).parents[1].name
PLUMBING = frozenset(
    {
        "config.errors",
        "config.plugins",
        "costs.requests",
        "grid.axes",  # what is asked for stands in the spec
        "grid.experiments",
        "grid.experiments.finetuning",
        "grid.experiments.perplexity",
        "grid.result_paths",
        "grid.rows",
        "grid.subjects",
        "jobs.batching",
        "jobs.cli",
        "jobs.files",
        "jobs.forced",
        "jobs.progress",
        "jobs.provenance",
        "nn.models.families",  # the row that a job reads stands in its spec
        "published.partners",
        "tables.common.planned",
        "tasks.common.declared",
    }
)
"""Modules that cannot change a number, by their names in the package."""

WHOLE = "*"

_known: dict[Path, KnownHashes] = {}


def remember(path: Path, writes: bool, root: Path = SCRIPTS) -> None:
    """Take hashes from a file, as far as it has them, and keep others there.

    Args:
        path: the file.
        writes: whether this process writes there, when it ends.
        root: folder with the scripts and the package.
    """
    _known[root] = KnownHashes(path, root, writes)


@cache
def code_hash(script: str, modules: tuple[str, ...] = (), root: Path = SCRIPTS) -> str:
    """Hash a script and the definitions of our modules that it reaches.

    Args:
        script: name of the script, without ``.py``.
        modules: modules chosen at run time, for example ``methods.lape``.
        root: folder with the scripts and the package.

    Returns:
        16 hexadecimal digits.
    """
    known, what = _known.get(root), " ".join((script, *modules))
    if known is None:
        return _hashed(script, modules, root)
    digest = known.get(what)
    if digest is None:
        digest = _hashed(script, modules, root)
        known.add(what, digest)
    return digest


def _hashed(script: str, modules: tuple[str, ...], root: Path) -> str:
    reached: dict[tuple[str, int], str] = {}
    tree = _tree(root)
    tree.reach(script, WHOLE, reached)
    for module in modules:
        tree.reach(f"{PACKAGE}.{module}", WHOLE, reached)
    digest = hashlib.sha256()
    for text in sorted(reached.values()):
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Statement:
    """What matters of a top-level statement of a module.

    Attributes:
        bound: names that it binds.
        used: names in it, in the order in which they stand there, each as often as it
            does; ``files.read`` where ``files`` is a module of ours.
        text: its syntax tree, written out without imports; empty for an import. What
            is read from a module of ours stands there by its own name alone.
        imports: (module, name in it or the whole, local name) of ours; of an import,
            what it imports, else what functions in it do.
    """

    bound: frozenset[str]
    used: tuple[str, ...]
    text: str
    imports: tuple[tuple[str, str, str], ...]


class _Tree:
    """Our modules below a folder, each parsed once, when it is first reached."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, list[_Statement]] = {}
        self._paths: dict[str, Path | None] = {}
        self._found: dict[tuple[str, str], frozenset[str]] = {}
        self._by_name: dict[str, dict[str, list[tuple[int, _Statement]]]] = {}

    def path(self, module: str) -> Path | None:
        if module not in self._paths:
            base = self.root.joinpath(*module.split("."))
            files = (base.with_suffix(".py"), base / "__init__.py")
            self._paths[module] = next((p for p in files if p.is_file()), None)
        return self._paths[module]

    def statements(self, module: str) -> list[_Statement]:
        if module not in self._modules:
            path = self.path(module)
            text = path.read_text(encoding="utf-8") if path else ""
            body = [
                statement
                for statement in without_docstrings(ast.parse(text)).body
                if not is_for_types(statement)
            ]
            aliases = self._aliases(module, body)
            self._modules[module] = [self._read(module, each, aliases) for each in body]
        return self._modules[module]

    def _aliases(self, module: str, body: list[ast.stmt]) -> set[str]:
        """Return the names that stand for whole modules of ours, anywhere in a module.

        Not those that something else has too: of these, all counts.
        """
        found: set[str] = set()
        for statement in body:
            for node in ast.walk(statement):
                if isinstance(node, ast.ImportFrom):
                    targets = self._targets(module, node)
                    found |= {local for _, name, local in targets if name == WHOLE}
        return found

    def _read(self, module: str, statement: ast.stmt, aliases: set[str]) -> _Statement:
        is_import = isinstance(statement, (ast.Import, ast.ImportFrom))
        plain = Plain(aliases)
        text = plain.written(statement)
        imports = [
            target
            for node in plain.imports
            for target in self._targets(module, node)
            if target[0].partition(".")[2] not in PLUMBING
        ]
        bound = frozenset(bound_by(statement))
        if is_import:
            return _Statement(bound, (), "", tuple(imports))
        return _Statement(bound, tuple(plain.used), text, tuple(imports))

    def reach(
        self, module: str, name: str, reached: dict[tuple[str, int], str]
    ) -> None:
        """Add the statements of ``module`` that define ``name``, and what they use."""
        wanted, done = [(module, name)], set()
        while wanted:
            current = wanted.pop()
            if current in done:
                continue
            done.add(current)
            for i, statement in self._defining(*current):
                place = current[0], i
                if place in reached:
                    continue
                if not statement.text:
                    wanted += [
                        target
                        for target in self._imported(statement, current[1])
                        if current[1] != WHOLE or not self._reads(current[0], target)
                    ]
                    continue
                used = sorted(set(statement.used))
                meant = {
                    each: sorted(self._meant(current[0], statement, each))
                    for each in used
                }
                # By their places: two calls of equal name may stand for two functions.
                means = [meant[each] for each in statement.used]
                reached[place] = f"{statement.text} {means}"
                wanted += [(current[0], each) for each in used]
                wanted += self._imported_inside(statement)

    def _defining(self, module: str, name: str) -> list[tuple[int, _Statement]]:
        """List the statements that have to run for a name to mean what it does."""
        if module not in self._by_name:
            by_name: dict[str, list[tuple[int, _Statement]]] = {WHOLE: []}
            for numbered in enumerate(self.statements(module)):
                for each in (WHOLE, *(numbered[1].bound or ("",))):
                    by_name.setdefault(each, []).append(numbered)
            self._by_name[module] = by_name
        known = self._by_name[module]
        if name == WHOLE:
            return known[WHOLE]
        return known.get(name.partition(".")[0], []) + known.get("", [])

    def _reads(self, module: str, target: tuple[str, str]) -> bool:
        """Tell whether a module names what it reads of another that it imports."""
        if target[1] != WHOLE:
            return False
        locals_ = {
            local
            for statement in self.statements(module)
            for source, original, local in statement.imports
            if (source, original) == target
        }
        return any(
            not locals_.isdisjoint(used.partition(".")[0] for used in statement.used)
            for statement in self.statements(module)
        )

    def _meant(self, module: str, statement: _Statement, name: str) -> frozenset[str]:
        """Return hashes of what a name in a statement stands for.

        A function may import it itself.
        """
        inside = (
            self._texts(source, original)
            for source, original in self._imported(statement, name)
            if original != WHOLE
        )
        return self._texts(module, name).union(*inside)

    def _texts(
        self, module: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> frozenset[str]:
        """Return hashes of the statements that a name of a module stands for.

        So that a name that begins to stand for something else is a change.
        """
        key = module, name
        if key in seen:
            return frozenset()
        if key not in self._found:
            found: set[str] = set()
            for _, statement in self._defining(module, name):
                if statement.text:
                    if name in statement.bound:
                        found.add(hashlib.sha256(statement.text.encode()).hexdigest())
                else:
                    for source, original in self._imported(statement, name):
                        if original != WHOLE:
                            found |= self._texts(source, original, seen | {key})
            self._found[key] = frozenset(found)
        return self._found[key]

    def _imported(
        self, statement: _Statement, wanted: str
    ) -> Iterator[tuple[str, str]]:
        """Yield module and name behind a name that an import binds."""
        alias, _, attribute = wanted.partition(".")
        for source, original, local in statement.imports:
            if wanted == WHOLE or alias == local:
                if attribute and self.path(f"{source}.{attribute}"):
                    yield f"{source}.{attribute}", WHOLE
                else:
                    yield source, attribute or original

    def _imported_inside(self, statement: _Statement) -> Iterator[tuple[str, str]]:
        """Yield module and name for what the functions of a statement import."""
        for source, original, local in statement.imports:
            if original != WHOLE:
                yield source, original
                continue
            read = {each for each in statement.used if each.partition(".")[0] == local}
            if not read:
                yield source, WHOLE
            one = _Statement(frozenset({local}), (), "", ((source, WHOLE, local),))
            for each in sorted(read):
                yield from self._imported(one, each)

    def _targets(
        self, module: str, statement: ast.Import | ast.ImportFrom
    ) -> Iterable[tuple[str, str, str]]:
        """Yield (module, name in it or the whole, local name) for imports of ours."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if self.path(alias.name) and alias.name.split(".")[0] == PACKAGE:
                    yield alias.name, WHOLE, alias.asname or alias.name.split(".")[0]
            return
        source = statement.module or ""
        if statement.level:
            path = self.path(module)
            is_package = path is not None and path.name == "__init__.py"
            parts = module.split(".")
            parts = parts[: len(parts) - statement.level + (1 if is_package else 0)]
            source = ".".join([*parts, *([source] if source else [])])
        if source.split(".")[0] != PACKAGE:
            return
        for alias in statement.names:
            local = alias.asname or alias.name
            if self.path(f"{source}.{alias.name}"):
                yield f"{source}.{alias.name}", WHOLE, local
            else:
                yield source, alias.name, local


@cache
def _tree(root: Path) -> _Tree:
    return _Tree(root)

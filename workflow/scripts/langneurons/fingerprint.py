"""A hash of the code that a job runs, so that an edit reruns what it affects.

The hash covers the script and what it uses of our own modules, definition by
definition and transitively, from the syntax tree: comments, docstrings and layout do
not count, and neither does a definition that the script never reaches. Modules that
only report, parse arguments, write files or size jobs cannot change a result and are
left out.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).parent.parent
PACKAGE = Path(__file__).parent.name
PLUMBING = frozenset(
    {"batching", "cli", "errors", "files", "progress", "provenance", "resources"}
)
WHOLE = "*"


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
    reached: dict[tuple[str, int], str] = {}
    tree = _tree(root)
    tree.reach(script, WHOLE, reached)
    for module in modules:
        tree.reach(f"{PACKAGE}.{module}", WHOLE, reached)
    digest = hashlib.sha256()
    for (module, _), text in sorted(reached.items()):
        digest.update(f"{module}\n{text}\n".encode())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class _Statement:
    """What matters of a top-level statement of a module.

    Attributes:
        bound: names that it binds.
        used: names that it reads.
        text: its syntax tree, written out; empty for an import.
        imports: (module, name in it or the whole, local name) of ours; of an import,
            what it imports, else what functions in it do.
    """

    bound: frozenset[str]
    used: frozenset[str]
    text: str
    imports: tuple[tuple[str, str, str], ...]


class _Tree:
    """Our modules below a folder, each parsed once, when it is first reached."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, list[_Statement]] = {}
        self._paths: dict[str, Path | None] = {}

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
            body = _without_docstrings(ast.parse(text)).body
            self._modules[module] = [self._read(module, each) for each in body]
        return self._modules[module]

    def _read(self, module: str, statement: ast.stmt) -> _Statement:
        is_import = isinstance(statement, (ast.Import, ast.ImportFrom))
        nodes = list(ast.walk(statement))
        return _Statement(
            frozenset(_bound(statement)),
            frozenset(node.id for node in nodes if isinstance(node, ast.Name)),
            "" if is_import else ast.dump(statement),
            tuple(
                target
                for node in nodes
                if isinstance(node, (ast.Import, ast.ImportFrom))
                for target in self._targets(module, node)
                if target[0].rpartition(".")[2] not in PLUMBING
            ),
        )

    def reach(
        self, module: str, name: str, reached: dict[tuple[str, int], str]
    ) -> None:
        """Add the statements of ``module`` that define ``name``, and what they use."""
        wanted, done = [name], set()
        while wanted:
            current = wanted.pop()
            if current in done:
                continue
            done.add(current)
            for i, statement in enumerate(self.statements(module)):
                if not (
                    current == WHOLE
                    or current in statement.bound
                    or not statement.bound
                ):
                    continue
                if not statement.text:
                    self._follow(statement, current, reached)
                    continue
                wanted += sorted(statement.used - done)
                if (module, i) not in reached:
                    reached[module, i] = statement.text
                    self._follow(statement, WHOLE, reached)

    def _follow(
        self, statement: _Statement, wanted: str, reached: dict[tuple[str, int], str]
    ) -> None:
        for source, original, local in statement.imports:
            if wanted not in (WHOLE, local):
                continue
            key = (f"import {source}.{original}", -1)
            if key not in reached:
                reached[key] = ""
                self.reach(source, original, reached)

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


def _bound(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {a.asname or a.name.split(".")[0] for a in statement.names}
    names = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {a.asname or a.name.split(".")[0] for a in node.names}
    return names


def _without_docstrings(tree: ast.Module) -> ast.Module:
    owners = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(tree):
        if (
            isinstance(node, owners)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Field":
            node.keywords = [k for k in node.keywords if k.arg != "description"]
    return tree

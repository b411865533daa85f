"""What of the syntax tree of a module counts in the hash of its code."""

from __future__ import annotations

import ast
from typing import Any


class Plain:
    """Writes a statement without what says where things stand; collects names.

    Imports are left out too, and collected.

    Args:
        aliases: names that stand for whole modules of ours.
    """

    def __init__(self, aliases: set[str]) -> None:
        self.aliases = aliases
        self.used: list[str] = []
        self.imports: list[ast.Import | ast.ImportFrom] = []

    def written(self, node: Any) -> str:
        """Write a part of a syntax tree; fields that are empty are left out."""
        if isinstance(node, list):
            return f"[{','.join(map(self.written, node))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            self.imports.append(node)
            return "Import()"
        if isinstance(node, ast.Name):
            self.used.append(node.id)
            return f"Name({node.id},{type(node.ctx).__name__})"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            base = node.value.id
            if base in self.aliases:
                self.used.append(f"{base}.{node.attr}")
                return f"Name({node.attr},{type(node.ctx).__name__})"
        fields = [
            f"{field}={self.written(value)}"
            for field in node._fields
            if (value := getattr(node, field, None)) is not None and value != []
        ]
        return f"{type(node).__name__}({','.join(fields)})"


def is_for_types(statement: ast.stmt) -> bool:
    """Tell whether a statement is ``if TYPE_CHECKING:``, which never runs."""
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def bound_by(statement: ast.stmt) -> set[str]:
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


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Take out docstrings, those below a constant too, and what explains keys, columns.

    That is the ``description`` of a Field, and a task's ``per_item``.
    """
    owners = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(tree):
        if isinstance(node, owners):
            said = [each for each in node.body if not _explains(each)]
            node.body = said or [ast.Pass()]
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Field":
            node.keywords = [k for k in node.keywords if k.arg != "description"]
    return tree


def _explains(statement: ast.stmt) -> bool:
    return _is_text(statement) or getattr(statement, "name", "") == "per_item"


def _is_text(statement: ast.stmt) -> bool:
    """Tell whether a statement is a text and nothing else."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )

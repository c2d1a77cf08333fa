"""Who may import whom, for what a list in a configuration file would have to name one by one."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def packages(folder: Path) -> set[str]:
    """The packages of the distributions that lie in a folder."""
    return {package.parent.name for package in folder.glob("*/crm_*/__init__.py")}


def imports(folder: Path) -> set[tuple[str, str]]:
    """The packages that a folder's modules import, each with where; inside functions and for types, too."""
    found = set()
    for module in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            where = f"{module.relative_to(ROOT)}:{node.lineno}"
            found |= {(name.split(".")[0], where) for name in names}
    return found


def test_the_kernel_imports_no_plugin():
    kernel = imports(ROOT / "crm_core")
    assert {(name, at) for name, at in kernel if name.startswith("crm_") and name != "crm_core"} == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_imports_nothing_of_contrib(plugin):
    contrib = packages(ROOT / "contrib") | {"contrib"}
    assert {(name, at) for name, at in imports(plugin) if name in contrib} == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_mypy_finds_a_plugin_also_when_it_looks_at_one_file(plugin):
    assert f'"$MYPY_CONFIG_FILE_DIR/plugins/{plugin.name}"' in (ROOT / "pyproject.toml").read_text()

"""What a compiled kernel depends on: its cache must not outlive a change of any of it."""

import ast
from pathlib import Path

import combmesh
from combmesh.ground.kernels import _sources

PACKAGE = Path(combmesh.__file__).parent
KERNEL_FILES = [path for path in PACKAGE.rglob("*.py") if "\n@kernel" in path.read_text(encoding="utf-8")]


def imported(source):
    """The files of the package that a file imports from, by its syntax tree."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "combmesh":
            place = PACKAGE.joinpath(*node.module.split(".")[1:])
            for path in (place, *(place / name.name for name in node.names)):
                yield from (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file())


def closure(source):
    found, left = {source}, [source]
    while left:
        new = set(imported(left.pop())) - found - {PACKAGE / "__init__.py"}
        found |= new
        left += new
    return found


def test_exact_kernels_depend_on_all_that_their_files_import():
    assert len(KERNEL_FILES) > 20
    for source in KERNEL_FILES:
        assert set(_sources(source)) == closure(source), source


def test_limit_kernels_do_not_depend_on_the_whole_package():
    """A change of the command line or of a report must compile nothing again."""
    sources = {file for source in KERNEL_FILES for file in _sources(source)}
    folders = {file.relative_to(PACKAGE).parts[0] for file in sources}
    assert not folders & {"cli", "config", "report", "keystore", "study", "wire"}

"""The rules of the code base that a reader would otherwise have to police."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import augcore

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "augcore"
SOURCES = sorted(PACKAGE.rglob("*.py"))

BASE = {"_validate", "_dispatch", "_cuda", "_device", "_random", "_errors", "_files", "_download"}
BASE |= {"_batch", "_coordinates", "_groups", "_matrices", "_multinomial", "_own_warp", "_samples", "_words"}
BASE |= {"_device_linalg", "_dispatch_logistic", "_projection"}
BASE |= {"_validate_images", "_validate_kernels", "_validate_models"}
# What each module of the package may import from the package, the base layer aside.
MAY_IMPORT = {
    "transforms": set(),
    "linear_model": set(),
    "policies": set(),
    "strata": set(),
    "dpp": set(),
    "datasets": {"transforms"},
    "features": {"transforms"},
    "influence": {"linear_model"},
    "scores": {"influence", "linear_model"},
    "streaming": {"scores", "influence", "linear_model"},
    "augmentations": {"transforms"},
    "reference": set(),
}
EVERYTHING = {*MAY_IMPORT, "integrations", "experiments", "benchmarks", "cli"}
MAY_IMPORT["integrations"] = {*MAY_IMPORT} - {"reference"}
MAY_IMPORT["experiments"] = EVERYTHING - {"cli", "reference", "benchmarks"}
MAY_IMPORT["benchmarks"] = EVERYTHING - {"cli"}
MAY_IMPORT["cli"] = EVERYTHING
MAY_IMPORT["__main__"] = {"cli"}
COMPILED = {path.stem for path in (ROOT / "augcore").glob("*.pyx")}
LIGHT = {"numpy"}
MAY_LOAD = {"linear_model": {"sklearn"}, "cli": {"typer", "rich"}, "benchmarks": {"rich"}}


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> list[tuple[str, int]]:
    """(dotted name, line) of everything a module imports, inside functions too."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            if node.module == "augcore":
                found += [(f"augcore.{alias.name}", node.lineno) for alias in node.names]
            else:
                found.append((node.module, node.lineno))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_architecture(path):
    module = module_of(path)
    if module == "__init__":
        return
    allowed = BASE if module in BASE else BASE | MAY_IMPORT[module] | {module}
    for name, line in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] != "augcore" or len(parts) == 1:
            continue
        target = parts[1]
        if target in COMPILED:
            importer = "_cuda" if target.startswith("_cuda_") else "_dispatch"
            assert module == importer or module.startswith(f"{importer}_"), (
                f"{path}:{line}: only {importer} may import {name}"
            )
        elif target not in ("__version__", "build_info", "ChecksumError", "FileFormatError"):
            assert target in allowed, f"{path}:{line}: {module} may not import {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    """At the top of a module only NumPy and the standard library; a few modules load what they cannot do without."""
    module = module_of(path)
    if module == "experiments":
        return
    allowed = LIGHT | MAY_LOAD.get(module, set()) | {"augcore"}
    import sys

    for node in ast.parse(path.read_text()).body:
        for name, line in imports(ast.Module([node], [])) if isinstance(node, ast.Import | ast.ImportFrom) else []:
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top in allowed, f"{path}:{line}: {name} at the top of a module"


def test_import_is_light(run_python):
    code = (
        "import sys, augcore; "
        "heavy = {'scipy', 'sklearn', 'tensorflow', 'keras', 'matplotlib', 'pandas', 'typer', 'rich', 'pydantic'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run_python(code).stdout.strip() == "[]"


def test_bindings_do_not_shadow_the_package():
    assert not (ROOT / "augcore" / "__init__.py").exists()
    assert (ROOT / "augcore" / "__init__.pxd").exists()
    assert Path(augcore.__file__).parent != ROOT / "augcore"


FORBIDDEN_CALLS = {"eval", "exec", "compile"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
FORBIDDEN_KEYWORDS = {("allow_pickle", True), ("shell", True), ("safe_mode", False)}
EVERY_SOURCE = SOURCES + sorted((ROOT / "bench").rglob("*.py"))


@pytest.mark.parametrize("path", EVERY_SOURCE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_runs_foreign_code(path):
    tree = ast.parse(path.read_text())
    for name, line in imports(tree):
        assert name.split(".")[0] not in FORBIDDEN_MODULES, f"{path}:{line}: imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, f"{path}:{node.lineno}: calls {node.func.id}"
        for keyword in node.keywords:
            if isinstance(keyword.value, ast.Constant):
                bad = (keyword.arg, keyword.value.value) in FORBIDDEN_KEYWORDS
                assert not bad, f"{path}:{node.lineno}: {keyword.arg}={keyword.value.value}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_neither_asserts_nor_prints(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Assert), f"{path}:{node.lineno}: assert"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"{path}:{node.lineno}: print"


def test_one_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", augcore.__version__)
    assert f'version: "{augcore.__version__}"' in (ROOT / "CITATION.cff").read_text()
    assert f"## [{augcore.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
    assert augcore.build_info()["version"] == augcore.__version__


def test_tools_are_pinned():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for tool in ("mypy", "ruff", "clang-format", "cython-lint"):
        assert any(re.fullmatch(rf"{tool}==[\d.]+", need) for need in extras["dev"]), f"{tool} is not pinned in dev"


def test_the_rule_of_the_sums_is_the_one_of_the_reference():
    header = (ROOT / "csrc/include/augcore/tree_sum.hpp").read_text()
    assert f"kTileRows = {augcore.reference.TILE_ROWS};" in header


def test_every_binding_mirrors_a_header():
    folders = [ROOT / "csrc/include/augcore", ROOT / "cuda/include/augcore"]
    headers = {str(path.relative_to(folder)) for folder in folders for path in folder.rglob("*.hpp")}
    for path in (ROOT / "augcore").glob("*.pxd"):
        for header in re.findall(r'extern from "augcore/([^"]+)"', path.read_text()):
            assert header in headers, f"{path.name} declares {header}"


LIMITS = {".py": 500, ".pyx": 300, ".cpp": 300, ".hpp": 300, ".inl": 300, ".cu": 300, ".cuh": 300}


def test_files_fit_in_a_head():
    """About: a tenth over is where to start cutting."""
    folders = [PACKAGE, ROOT / "augcore", ROOT / "csrc", ROOT / "cuda", ROOT / "bench"]
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.suffix in LIMITS and "tests" not in path.parts:
            lines = len(path.read_text().splitlines())
            assert lines <= 1.1 * LIMITS[path.suffix], f"{path.relative_to(ROOT)} has {lines} lines"

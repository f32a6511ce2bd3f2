"""The direction of imports, as the design draws it: engine knows no window, worlds know no torch, pygame is in play."""

import ast
from pathlib import Path

import pytest

import genie_lite

ROOT = Path(genie_lite.__file__).parent
SHARED = {"actions", "camera", "checks", "conditions", "errors", "files", "timing"}
PROMPT_SHARED = {"conditions", "errors"}
MAY_IMPORT = {
    "prompt": set(),
    "worlds": set(),
    "model": set(),
    "data": {"worlds"},
    "engine": {"model", "pictures"},
    "train": {"model", "data"},
    "session": {"engine.protocol"},
    "recording": {"session", "engine.protocol"},
    "play": {"session", "recording", "engine", "prompt", "pictures", "world_file"},
    "bench": {"engine", "session", "worlds", "play", "model", "data", "recording", "prompt", "pictures"},
}
"""Package -> what of genie_lite it may import besides itself and SHARED. The command line may import everything."""

COMMAND_LINE = {"cli", "commands", "__main__"}
HOME = {
    "pygame": {"play"},
    "tyro": COMMAND_LINE | {"data", "train", "bench"},
    "torch": {"model", "engine", "train", "bench"},
    "moderngl": {"worlds"},
    "gymnasium": {"worlds"},
    "av": {"recording"},
}
"""Library -> the packages that may import it."""

MODULES = sorted(ROOT.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the package"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(allowed + ".")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_package_may(path: Path) -> None:
    package = package_of(path)
    if package in COMMAND_LINE:
        return
    shared = PROMPT_SHARED if package == "prompt" else SHARED
    allowed = MAY_IMPORT.get(package, set()) | shared | {package, "__version__"}
    own = {name.removeprefix("genie_lite.") for name in imports_of(path) if name.startswith("genie_lite.")}
    assert not {name for name in own if not any(within(name, part) for part in allowed)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_is_imported_only_where_it_belongs(path: Path) -> None:
    libraries = {name.split(".")[0] for name in imports_of(path)}
    assert not {name for name in libraries & HOME.keys() if package_of(path) not in HOME[name]}


def test_every_package_has_a_rule() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages <= MAY_IMPORT.keys() | COMMAND_LINE

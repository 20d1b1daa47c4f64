"""What `import-linter` cannot say about the house; each failure says why (docs/design.md)."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "hubbub"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "migrations" not in path.parts)
PURE = [path for path in MODULES if path.relative_to(SOURCE).parts[0] in ("core", "dialects")]
CODE = sorted(
    path
    for folder in ("src", "tests", "bench")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".js", ".c") and not {"vendor", "build"} & set(path.parts)
)
MOST_LINES, MOST_IN_A_FUNCTION = 500, 80

# What one looks at to see whether a module is pure is this list, not its code.
ALLOWED = {
    "core": {
        "collections",
        "dataclasses",
        "datetime",
        "enum",
        "functools",
        "math",
        "re",
        "typing",
        "unicodedata",
    },
    "dialects": {"collections", "dataclasses", "enum", "json", "msgspec", "re", "typing"},
}
HOMES = {
    "fastapi": {"web", "main.py"},
    "starlette": {"web", "main.py"},
    "sqlalchemy": {"storage"},
    "sqlite3": {"storage"},
    "alembic": {"storage"},
    "httpx2": {"fetch.py"},
}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def calls(tree: ast.AST) -> Iterator[str]:
    """Every call by its dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", PURE, ids=named)
def test_what_is_pure_waits_for_nothing_and_asks_no_clock(path: Path) -> None:
    why = "core and dialects get state and time as arguments"
    waiting = ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith
    assert not [node for node in ast.walk(parsed(path)) if isinstance(node, waiting)], why
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "uuid.uuid4", "uuid4", "open"}
    assert not clocks & set(calls(parsed(path))), why


def imports(path: Path) -> Iterator[str]:
    """The packages that a module imports, anywhere in it."""
    for node in ast.walk(parsed(path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name.split(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module.split(".")[0]


@pytest.mark.parametrize("path", PURE, ids=named)
def test_what_is_pure_imports_nothing_that_could_tempt_it(path: Path) -> None:
    allowed = ALLOWED[path.relative_to(SOURCE).parts[0]]
    strange = set(imports(path)) - allowed - {"hubbub"}
    assert not strange, "is this free of input, output, time and chance? Then add it to the list"


@pytest.mark.parametrize("package", HOMES)
def test_frameworks_and_databases_stay_at_home(package: str) -> None:
    users = {p.relative_to(SOURCE).parts[0] for p in MODULES if package in imports(p)}
    assert users <= HOMES[package], f"{package} is for {HOMES[package]}: ask them instead"


def test_the_door_of_the_sockets_reaches_no_database_and_no_dependency() -> None:
    graph = grimp.build_graph("hubbub", include_external_packages=True)
    reached = graph.find_upstream_modules("hubbub.web.sockets")
    storage = {name for name in reached if name.startswith("hubbub.storage.")}
    assert storage <= {"hubbub.storage.base"}, "what a socket holds it holds for ever"
    assert not {"sqlalchemy", "sqlite3", "alembic", "hubbub.web.deps"} & reached, (
        "a session or a dependency at the door would live as long as the socket"
    )


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_the_environment_is_read_by_the_configuration_alone(path: Path) -> None:
    if path.name != "config.py":
        text = path.read_text()
        assert "os.environ" not in text, "config.py reads the environment, once"
        assert "getenv" not in text, "config.py reads the environment, once"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parsed(path)), "a module without a docstring is a riddle"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_public_name_has_a_contract(path: Path) -> None:
    tree = parsed(path)
    documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, documented)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not silent, "public names have docstrings that are contracts"


def test_no_file_and_no_function_is_too_long() -> None:
    long = [named(path) for path in CODE if len(path.read_text().splitlines()) > MOST_LINES]
    assert not long, f"past {MOST_LINES} lines a file is several files"
    for path in CODE:
        if path.suffix != ".py":
            continue
        for function in functions(path):
            size = (function.end_lineno or 0) - function.lineno + 1
            assert size <= MOST_IN_A_FUNCTION, (
                f"{named(path)}:{function.name} has {size} lines; it does several things"
            )


def test_no_function_of_the_page_is_too_long() -> None:
    """By the layout that all of it has: a function ends where a brace stands as far left."""
    opening = re.compile(r"^( *)\S.*(?:\)|=>) \{$")
    for path in (path for path in CODE if path.suffix == ".js"):
        lines = path.read_text().splitlines()
        for start, line in enumerate(lines):
            found = opening.match(line)
            if found is None:
                continue
            ends = (n for n in range(start, len(lines)) if lines[n].startswith(found[1] + "}"))
            size = next(ends, len(lines)) - start + 1
            assert size <= MOST_IN_A_FUNCTION, f"{named(path)}:{start + 1} has {size} lines"


def test_a_socket_holds_no_database_session() -> None:
    """A dependency with `yield` lives as long as the request, which for a socket is for ever."""
    for path in (SOURCE / "web").rglob("*.py"):
        for function in functions(path):
            inside = list(ast.walk(function))
            generator = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in inside)
            iterates = "Iterator" in ast.unparse(function.returns or ast.Constant(""))
            assert not generator or iterates, f"{named(path)}:{function.name} is a dependency"
    text = (SOURCE / "web" / "sockets.py").read_text()
    assert "Depends" not in text, "sockets have a door of their own, without dependencies"


def test_no_queue_of_ours_is_unbounded() -> None:
    for path in (SOURCE / "hub").rglob("*.py"):
        assert "asyncio.Queue" not in calls(parsed(path)), (
            f"{named(path)}: a slow reader costs itself alone, so its queue has a bound in bytes"
        )


def test_tests_never_sleep_for_time() -> None:
    """Polling a condition in short steps under a deadline is waiting for the condition."""
    nap = re.compile(r"\b(?:time|asyncio)\.sleep\((?P<seconds>[\d.]+)\)")
    for path in (ROOT / "tests").rglob("*.py"):
        for found in nap.finditer(path.read_text()):
            assert float(found["seconds"]) <= 0.05, f"{named(path)}: wait on a condition instead"


def test_nothing_tells_where_it_was_made() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    place = re.compile("/w" + "ork/|/r" + "oot/|py" + r"pi\.org|python" + "hosted|npm" + r"js\.")
    for name in filter(None, tracked):
        path = ROOT / name
        if (
            path.suffix in (".png", ".js", ".svg") and "vendor" in path.parts
        ) or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        assert not place.search(text), f"{name}: a path of one machine is of no use to others"

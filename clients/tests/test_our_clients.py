"""The typed clients in clients/python and clients/typescript do what their README shows."""

import re
import sys
from pathlib import Path

from programs import CLIENTS, NODE_MODULES, program, run

ADDRESS = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.M | re.S)


def readme(folder: str, language: str, server: str) -> tuple[str, str]:
    """All its code as one program, and all that it says the program prints."""
    blocks = BLOCK.findall((CLIENTS / folder / "README.md").read_text("utf-8"))
    assert [kind for kind, _ in blocks] == [language, "text"] * (len(blocks) // 2) != []
    code, said = ("".join(text for kind, text in blocks if kind == wanted) for wanted in (language, "text"))
    return code.replace(ADDRESS, server), said


def test_the_python_client_installs_and_does_what_its_readme_shows(server: str, tmp_path: Path) -> None:
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", tmp_path]
    run(sys.executable, "-m", "pip", "install", *options, CLIENTS / "python")
    code, said = readme("python", "python", server)
    assert run(sys.executable, "-", cwd=tmp_path, text=code) == said


def test_the_typescript_client_compiles_and_does_what_its_readme_shows(server: str, tmp_path: Path) -> None:
    code, said = readme("typescript", "ts", server)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "example.ts").write_text(code)
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "lantern-client").symlink_to(CLIENTS / "typescript", target_is_directory=True)
    (modules / "@types").symlink_to(CLIENTS / "node_modules" / "@types", target_is_directory=True)
    options = ["--strict", "--target", "es2022", "--module", "nodenext"]
    run(NODE_MODULES / "tsc", *options, "example.ts", cwd=tmp_path)
    assert run(program("node"), "example.js", cwd=tmp_path) == said

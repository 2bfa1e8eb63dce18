"""What the pages of this repository tell a reader to type, as words that a test can hold against the real thing."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# CHANGELOG.md tells what was; templates and cards of models are made.
FOLDERS = ("*.md", "docs/*.md", "deploy/**/*.md", "training/*.md", "benchmarks/*.md", "examples/*.md")
PAGES = tuple(
    sorted(
        {path for folder in FOLDERS for path in ROOT.glob(folder) if path.name != "CHANGELOG.md"} - {ROOT / "NOTICE"}
    )
)
# Commands that run until somebody stops them: tests/system/test_compose.py starts and stops each.
SERVICES = ("scheduler", "worker", "api", "webhooks")
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_SHELLS = ("sh", "bash", "console", "shell")
_OPERATORS = set("();<>|&")
_VARIABLE = re.compile(r"([A-Za-z_]\w*)=")


@dataclass(frozen=True)
class Command:
    """One command of a block: its words without what sets variables before it, redirects it or runs it in a container."""

    page: str
    words: tuple[str, ...]
    variables: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The words as one line."""
        return " ".join(self.words)


def name_page(page: Path) -> str:
    """The path of a page inside the repository."""
    return page.relative_to(ROOT).as_posix()


def list_blocks(page: Path) -> list[str]:
    """The blocks of a page that are for a shell, each with its continued lines joined."""
    found = []
    for _, language, body in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "console" or (not language and re.search(r"^\$ ", body, re.MULTILINE)):
            body = "\n".join(line[2:] for line in body.splitlines() if line.startswith("$ "))  # noqa: PLW2901
        elif language not in _SHELLS and not re.match(r"tonalog ", body):
            continue
        found.append(body.replace("\\\n", " "))
    return found


def list_commands(page: Path) -> list[Command]:
    """Every command of the blocks of a page, in their order."""
    return [command for block in list_blocks(page) for command in split_block(name_page(page), block)]


def split_block(page: str, block: str) -> list[Command]:
    """The commands of a block: those of pipes, lists and parentheses are apart, comments and redirects are left out."""
    found = []
    for line in join_quoted(block):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= _OPERATORS and not set(word) <= set("<>"):
                found += [make_command(page, words)] if words else []
                words = []
            else:
                words.append(word)
    return found


def join_quoted(block: str) -> list[str]:
    """The lines of a block; a quoted text of several lines is one."""
    lines: list[str] = []
    for line in block.splitlines():
        joined = f"{lines.pop()} {line}" if lines and not is_whole(lines[-1]) else line
        lines.append(joined)
    return [line for line in lines if line.strip()]


def is_whole(line: str) -> bool:
    """Whether every quote of a line is closed."""
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def make_command(page: str, words: list[str]) -> Command:
    """A command of its words: without redirects, and what runs in a container as if it ran here."""
    kept: list[str] = []
    iterator = iter(words)
    for word in iterator:
        if set(word) <= set("<>"):
            next(iterator, None)
        else:
            kept.append(word)
    variables = []
    while kept and (named := _VARIABLE.match(kept[0])):
        variables.append(named[1])
        kept.pop(0)
    if kept[:3] == ["docker", "compose", "exec"]:
        kept = kept[4:]
    if kept[:4] == ["docker", "compose", "run", "--rm"]:
        kept = ["tonalog", *kept[5:]]
    kept[:1] = [word.removeprefix(".venv/bin/").removeprefix(".venv-train/bin/") for word in kept[:1]]
    return Command(page, tuple(kept), tuple(variables))


def list_named(page: Path) -> list[str]:
    """The `tonalog` commands that sentences of a page name."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"`(?:\.venv/bin/)?tonalog ([a-z][^`]*)`", text)


def add_new_bundle(folder: Path) -> None:
    """Put a new version of the model where pages take one for granted: the shipped one under another version."""
    shipped = max((ROOT / "models").glob("*/manifest.json"), key=lambda path: path.parent.name).parent
    new = shutil.copytree(shipped, folder / "new" / "speech-emotion-0.7.0")
    manifest = json.loads((new / "manifest.json").read_text())
    (new / "manifest.json").write_text(json.dumps(manifest | {"version": "0.7.0"}))

"""What the documentation shows is run."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from combmesh.config.load import load_network

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", blocks("console"))
def test_exact_readme_commands_run(block, tmp_path):
    """The commands of a block run one after the other in one folder."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for command in (line[2:] for line in block.splitlines() if line.startswith("$ ")):
        program, *arguments = shlex.split(command)
        assert program == "combmesh"
        code = [sys.executable, "-c", "from combmesh.cli.main import main; main()", *arguments]
        done = subprocess.run(code, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_exact_readme_network_file_is_one(tmp_path):
    (text,) = blocks("toml")
    tomllib.loads(text)
    (tmp_path / "readme.toml").write_text(text)
    assert len(load_network(tmp_path / "readme.toml").network.users) == 3


def test_exact_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    for target in set(re.findall(r"^make (\w+)", text, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_exact_links_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / name).read_text()):
            assert (ROOT / target).exists(), target

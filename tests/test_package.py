"""The wheel is complete, and the version is one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import combmesh

ROOT = Path(__file__).parents[1]


def test_exact_wheel_installs_and_runs(tmp_path):
    build = "import sys; from flit_core.buildapi import build_wheel; print(build_wheel(sys.argv[1]))"
    name = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    # the environment has no pip of its own: the interpreter that made it installs
    outer = getattr(sys, "_base_executable", sys.executable)
    install = [outer, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path / "site")]
    subprocess.run([*install, str(tmp_path / name)], check=True, timeout=120)
    code = "import combmesh; print(combmesh.__file__); from combmesh.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "explain", str(ROOT / "examples" / "paper.toml")],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(tmp_path / "site"))
    assert "arm_efficiency" in done.stdout
    assert (tmp_path / "site" / "combmesh" / "report" / "combmesh.mplstyle").exists()


def test_exact_one_version():
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{combmesh.__version__}"' in project
    assert re.search(rf"^## {re.escape(combmesh.__version__)}", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_attack_lock_files_name_no_registry():
    for name in ("run.lock", "dev.lock"):
        text = (ROOT / "requirements" / name).read_text()
        assert "://" not in text
        assert "--index" not in text
        pinned = re.findall(r"^[a-z0-9_.\[\]-]+==\S+", text, re.MULTILINE | re.IGNORECASE)
        assert text.count("--hash=sha256:") >= len(pinned) > 10

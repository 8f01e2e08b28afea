"""JupyterLab opens a chapter as a notebook by double click, and runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

CHAPTER = "01-noise-and-scores.md"
START_S = 60
OPEN_MS = 60_000
RUN_MS = 120_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start in {START_S} s:\n{log.read_text()[-2000:]}")


@pytest.fixture
def lab(root: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server over a copy of the chapters: a save must not touch the book."""
    work = tmp_path / "work"
    shutil.copytree(root / "chapters", work / "chapters")
    shutil.copy(root / "jupytext.toml", work)
    notebooks = tmp_path / "settings" / "@jupyterlab" / "notebook-extension"
    notebooks.mkdir(parents=True)
    every_cell = json.dumps({"windowingMode": "none"})
    (notebooks / "tracker.jupyterlab-settings").write_text(every_cell, encoding="utf-8")
    user = {name: str(tmp_path / name) for name in ("config", "data", "runtime", "settings")}
    env = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": user["config"],
        "JUPYTER_DATA_DIR": user["data"],
        "JUPYTER_RUNTIME_DIR": user["runtime"],
        "JUPYTERLAB_SETTINGS_DIR": user["settings"],
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
    }
    env.pop("MPLBACKEND", None)
    port = free_port()
    options = [
        "--no-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        "--ServerApp.allow_root=True",
        f"--ServerApp.root_dir={work}",
    ]
    log = tmp_path / "lab.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_up(f"http://127.0.0.1:{port}", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            # The server first, so that it ends its kernels; then whatever is left of its group.
            server.terminate()
            try:
                server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def test_double_click_opens_a_notebook_that_runs(lab: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(OPEN_MS)
    page.goto(f"{lab}/lab/tree/chapters")
    page.locator(f".jp-DirListing-item[title*='{CHAPTER}']").dblclick()

    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator(".jp-CodeCell").first).to_be_visible(timeout=OPEN_MS)
    idle = notebook.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    expect(idle).to_be_attached(timeout=OPEN_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    cells = notebook.locator(".jp-CodeCell")
    expect(cells.first.locator(".jp-InputPrompt")).to_have_text("[1]:", timeout=RUN_MS)
    expect(cells.nth(1).locator(".jp-OutputArea-output img").first).to_be_visible(timeout=RUN_MS)
    context.close()

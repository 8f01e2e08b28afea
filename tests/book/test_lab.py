"""JupyterLab opens a chapter as a notebook by double click, runs it, and its figures follow."""

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
from dataclasses import dataclass
from pathlib import Path

import jupytext
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

CHAPTER = "01-noise-and-scores.md"
START_S = 60
OPEN_MS = 60_000
RUN_MS = 120_000
TRIES, WAIT_MS = 20, 250

LATTICE = """import torch, projcomp as pc
from projcomp import scenes
g = torch.Generator().manual_seed(0)
where = scenes.lattice()[:, None, None].expand(9, 4, 1, 2)
seen = [scenes.render(scenes.random_objects(w, generator=g), 16).flatten(1) for w in where]
bare = scenes.random_objects(torch.zeros(1, 1, 2), torch.zeros(1, 1, dtype=torch.bool))
lattice = pc.Lattice(scenes.render(bare, 16).flatten(), seen)
print("made")
lattice"""

PROMPT = """import torch, projcomp as pc
g = torch.Generator().manual_seed(0)
pictures = 2 * torch.rand(3, 2, 3, 8, 8, generator=g, dtype=torch.float64) - 1
prompt = pc.Prompt(pc.emoji.Table(pictures, ["cat", "dog", "hat"], ["flat", "lines"]))
print("made")
prompt"""

WORDS = f"""import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.widgets.kinds import text_prompt
figure = text_prompt()
print("made")
figure"""


@dataclass
class Lab:
    """A running server: its address, and the folder that it serves."""

    url: str
    folder: Path


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
def lab(root: Path, tmp_path: Path) -> Iterator[Lab]:
    """A server over a copy of the chapters: a save must not touch the book."""
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
            yield Lab(f"http://127.0.0.1:{port}", work)
        finally:
            # The server first, so that it ends its kernels; then whatever is left of its group.
            server.terminate()
            try:
                server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def front_matter(chapter: Path) -> str:
    return chapter.read_text(encoding="utf-8").split("---\n")[1]


def cells_of(chapter: Path) -> list[tuple]:
    return [(c.cell_type, c.source, dict(c.metadata)) for c in jupytext.read(chapter).cells]


def run_below(page: Page, notebook: Locator, code: str) -> str:
    """Run a new cell at the end of the notebook, and return what it prints."""
    notebook.locator(".jp-Notebook-footer").click()
    cells = notebook.locator(".jp-CodeCell")
    cell = cells.nth(cells.count() - 1)  # running it adds another after it
    cell.locator(".cm-content").click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    output = cell.locator(".jp-OutputArea-output pre").first
    expect(output).not_to_be_empty(timeout=RUN_MS)
    return output.inner_text().strip()


def comes_true(page: Page, notebook: Locator, code: str) -> str:
    """Print what this code says, once its truth is what it ends in.

    What a reader does in a figure reaches the kernel a moment later: the figure saves its state
    every so often, and the widgets' own protocol waits while the kernel is busy.
    """
    for _ in range(TRIES):
        said = run_below(page, notebook, code)
        if said.endswith("True"):
            break
        page.wait_for_timeout(WAIT_MS)
    return said


def test_double_click_opens_a_notebook_that_runs(lab: Lab, browser: Browser, root: Path) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(OPEN_MS)
    page.goto(f"{lab.url}/lab/tree/chapters")
    page.locator(f".jp-DirListing-item[title*='{CHAPTER}']").dblclick()

    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator(".jp-CodeCell").first).to_be_visible(timeout=OPEN_MS)
    # Before the kernel is up, "Run All" would ask which kernel to start.
    expect(page.get_by_text("(ipykernel) | Idle")).to_be_visible(timeout=OPEN_MS)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    cells = notebook.locator(".jp-CodeCell")
    expect(cells.first.locator(".jp-InputPrompt")).to_have_text("[1]:", timeout=RUN_MS)
    figure = cells.nth(1).locator(".pc-live")
    expect(figure.locator(".pc-summary")).not_to_be_empty(timeout=RUN_MS)
    expect(page.get_by_text("(ipykernel) | Idle")).to_be_visible(timeout=RUN_MS)

    # A save keeps the front matter as it was, and every cell: no outputs, no new metadata.
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0, timeout=OPEN_MS)
    saved, ours = (folder / "chapters" / CHAPTER for folder in (lab.folder, root))
    assert front_matter(saved) == front_matter(ours)
    assert cells_of(saved) == cells_of(ours)

    # From the figure to the kernel: a drag, read back from the trait.
    handle = figure.locator('[data-handle="0.0.0"]')
    before = handle.get_attribute("aria-valuenow")
    handle.locator("path").hover()  # which waits until it no longer moves
    box = handle.locator("path").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    expect(handle).not_to_have_attribute("aria-valuenow", before)
    page.mouse.up()
    code = "mean = Out[2].concepts[0]['means'][0][0]; print(mean, mean > -1.9)"
    mean, moved = comes_true(page, notebook, code).split()
    assert moved == "True"
    expect(handle).to_have_attribute("aria-valuenow", f"{float(mean):.2f}")
    said = run_below(page, notebook, "print('shape', Out[2].samples.shape)")
    assert said == "shape (500, 2)"

    # From the kernel to the figure.
    run_below(page, notebook, "Out[2].sigma = 2.0; print('set')")
    expect(figure.locator(".pc-transport output").first).to_have_text("2.00")
    run_below(page, notebook, "Out[2].reweight = True; print('set')")
    expect(figure.locator(".pc-worth")).to_have_text("effective samples: 500 of 500")
    said = run_below(page, notebook, "print(len(Out[2]._log_weights), Out[2].log_weights.shape)")
    assert said == "4000 (500,)"

    # The other kind of figure, both ways.
    code = "square = pc.Square.from_preset('banana')\nprint('made')\nsquare"
    assert run_below(page, notebook, "import projcomp as pc\n" + code) == "made"
    square = notebook.locator(".pc-live:has(.pc-pair)")
    expect(square.locator(".pc-summary")).to_contain_text("Warp: banana", timeout=RUN_MS)
    square.get_by_role("button", name="map, then compose").click()
    code = "print(square.route == 'second' and square.readout['composition'] < 1e-12)"
    assert comes_true(page, notebook, code) == "True"
    run_below(page, notebook, "square.warp = 'shear'; print('set')")
    expect(square.locator(".pc-transport output").first).to_have_text("60°")

    # The third kind, both ways.
    assert run_below(page, notebook, LATTICE) == "made"
    lattice = notebook.locator(".pc-lattice")
    expect(lattice.locator(".pc-summary")).to_contain_text("front left, centre.", timeout=RUN_MS)
    lattice.get_by_role("button", name="front", exact=True).click()
    expect(lattice.locator(".pc-summary")).to_contain_text("front left, front, centre.")
    told = "torch.tensor(lattice.readout['B']['opacities'], dtype=torch.float64)"
    gap = f"float((lattice.opacities('B') - {told}).abs().max())"
    code = f"print(lattice.chosen == [0, 1, 4] and {gap} < 1e-9)"
    assert comes_true(page, notebook, code) == "True"
    run_below(page, notebook, "lattice.chosen = [8]; print('set')")
    place = lattice.get_by_role("button", name="back right")
    expect(place).to_have_attribute("aria-pressed", "true")

    # The fourth kind, both ways.
    assert run_below(page, notebook, PROMPT) == "made"
    prompt = notebook.locator(".pc-prompt")
    expect(prompt.locator(".pc-summary")).to_contain_text("cat, flat.", timeout=RUN_MS)
    prompt.get_by_role("button", name="lines", exact=True).click()
    prompt.get_by_label("content").select_option("hat")
    expect(prompt.locator(".pc-summary")).to_contain_text("hat, lines.")
    ours = "prompt.sample('sde').outcome.decided"
    code = f"print(prompt.style == 'lines' and prompt.readout['sde']['decided'] == {ours})"
    assert comes_true(page, notebook, code) == "True"
    run_below(page, notebook, "prompt.content = 'dog'; print('set')")
    expect(prompt.get_by_label("content")).to_have_value("dog")

    # The fifth kind, both ways: its network comes from the kernel.
    assert run_below(page, notebook, WORDS) == "made"
    words = notebook.locator(".pc-words")
    expect(words.locator(".pc-summary")).to_contain_text("stored pictures", timeout=RUN_MS)
    words.get_by_role("button", name="Load the network").click()
    expect(words.locator(".pc-said")).to_contain_text("Drawn.", timeout=RUN_MS)
    words.get_by_role("button", name="Another noise").click()
    told = "torch.tensor(figure.readout['weights'], dtype=torch.float64)"
    gap = f"float(({told} / figure.log_weights - 1).abs().max())"
    code = f"print(figure.seed == 1 and figure.readout['drawn'] and {gap} < 1e-3)"
    assert comes_true(page, notebook, code) == "True"
    run_below(page, notebook, "figure.prompts = ['a cube']; print('set')")
    expect(words.get_by_role("textbox", name="prompt 1")).to_have_value("a cube")
    context.close()

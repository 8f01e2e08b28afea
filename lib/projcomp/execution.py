"""Chapters executed side by side, before Sphinx reads them.

MyST-NB executes a chapter where it reads one, so one after another. What is in its cache it only
fetches. So the chapters that are not are executed here and put there: each in a kernel of its own,
on one core, the longest first. A chapter that fails is left to MyST-NB, which says what and where.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.main import JupyterCacheBase
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MOST_AT_ONCE = 4
"""A kernel may hold a gigabyte."""
CHARACTERS_A_SECOND = 2000.0
"""A guess for chapters of which it is not known how long they take."""


@dataclass
class Chapter:
    """A notebook to execute. seconds: how long it took last time, or a guess."""

    name: str
    path: Path
    notebook: NotebookNode
    reader: dict
    seconds: float


def prepare_kernels() -> None:
    """Set what the chapters' kernels inherit: no bars, pictures in the page.

    One thread each: side by side they would wait for each other (a chapter of 20 s then takes 60
    to 150 s), and sums come out the same on any machine.
    """
    os.environ.update(TQDM_DISABLE="1", PYTHONHASHSEED="0")
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    os.environ.pop("MPLBACKEND", None)


def own_folders(home: Path) -> None:
    """Give kernels folders in the build's own, since what they say of a user's ends in the pages.

    Matplotlib, IPython and Jupyter write to the user's folders, and complain where they can't.
    """
    for name in ("MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR",
                 "JUPYTER_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):  # fmt: skip
        folder = home / name.lower()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(folder)
    if not list((home / "mplconfigdir").glob("fontlist-*.json")):
        # Which it looks for once, and says so where that takes long.
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)


def execute_ahead(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute the chapters among `docnames` whose outputs are not in the cache."""
    if env.mystnb_config.execution_mode != "cache":
        return
    cache = get_cache(env.mystnb_config.execution_cache_path)
    # Beside the folder of all caches, as every state of the library has its own.
    times = Path(env.mystnb_config.execution_cache_path).parents[1] / "times.json"
    chapters = sorted(missing(env, docnames, cache, read_times(times)), key=lambda c: -c.seconds)
    workers = min(len(chapters), cores(), MOST_AT_ONCE)
    if workers < 2:
        return
    with ThreadPoolExecutor(workers) as pool:
        board = Board(chapters, workers)
        futures = {pool.submit(execute, chapter, board, env): chapter for chapter in chapters}
        for future in as_completed(futures):
            keep(futures[future], future, cache, times)


def missing(env, docnames, cache: JupyterCacheBase, times: dict[str, float]) -> Iterator[Chapter]:
    """The notebooks among `docnames` that the cache does not hold, as MyST-NB would read them."""
    for name in docnames:
        path = Path(env.doc2path(name))
        source = path.read_text(encoding="utf-8")
        reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, source)
        if reader is None:
            continue
        notebook = reader.read(source)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            guess = len(source) / CHARACTERS_A_SECOND
            yield Chapter(name, path, notebook, reader.read_fmt, times.get(name, guess))


class Board:
    """A line for each chapter that begins or ends: how many are done, and how long is left."""

    def __init__(self, chapters: list[Chapter], workers: int):
        self.chapters, self.workers = chapters, workers
        self.begun: dict[str, float] = {}
        self.done: dict[str, float] = {}
        self.start = time.monotonic()

    def begin(self, chapter: Chapter) -> None:
        self.begun[chapter.name] = time.monotonic()
        self.say(chapter.name)

    def end(self, chapter: Chapter) -> None:
        self.done[chapter.name] = time.monotonic() - self.begun.pop(chapter.name)
        self.say(f"{chapter.name} took {self.done[chapter.name]:.0f} s")

    def left(self) -> float:
        """Seconds, by what chapters took before and how those that are done compare to it."""
        known = {chapter.name: chapter.seconds for chapter in self.chapters}
        guessed = sum(known[name] for name in self.done)
        pace = sum(self.done.values()) / guessed if guessed else 1.0
        now = time.monotonic()
        rest = 0.0
        for name, seconds in known.items():
            if name not in self.done:
                spent = now - self.begun[name] if name in self.begun else 0.0
                rest += max(pace * seconds - spent, 0.0)
        return rest / self.workers

    def say(self, what: str) -> None:
        share = round(100 * len(self.done) / len(self.chapters))
        rest = f", about {self.left():.0f} s left" if self.done else ""
        print(f"executing chapters... [{share:3d}%] {what}{rest}", file=sys.stdout, flush=True)


def execute(chapter: Chapter, board: Board, env: BuildEnvironment):
    """The outcome of one chapter, in a kernel of its own, as MyST-NB would have it."""
    board.begin(chapter)
    config = env.mystnb_config
    result = single_nb_execution(
        chapter.notebook,
        cwd=str(chapter.path.parent),
        allow_errors=config.execution_allow_errors,
        timeout=config.execution_timeout,
        meta_override=True,
    )
    board.end(chapter)
    return result


def keep(chapter: Chapter, future: Future, cache: JupyterCacheBase, times: Path) -> None:
    """Put a chapter that succeeded into the cache, and note how long it took."""
    result = future.result()
    if result.err is not None:
        return
    record = cache.add_nb_to_project(str(chapter.path), read_data=chapter.reader)
    bundle = CacheBundleIn(chapter.notebook, record.uri, data={"execution_seconds": result.time})
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    known = read_times(times) | {chapter.name: result.time}
    times.write_text(json.dumps(known, indent=1), encoding="utf-8")


def read_times(path: Path) -> dict[str, float]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

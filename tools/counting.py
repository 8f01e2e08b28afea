"""Counting: many jobs, each written down as soon as it is done, and done only once.

`main` is the command of a tool that counts. An item of a job has randomness of its own, so that
what comes out depends neither on the order nor on how many processes share the work.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import multiprocessing
import sys
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import projcomp as pc
import torch


class Job(NamedTuple):
    """One entry of the file: of every item the numbers that `trial(item, generator)` finds.

    A number is None where there is nothing to count. n: independent samples of each item, to be
    written down too. whole: its items share work that is done once, so they stay in one process.
    """

    columns: tuple[str, ...]
    items: list
    trial: Callable[..., list[float | None]]
    n: int | None = None
    whole: bool = False


Jobs = dict[str, Callable[[], Job]]


def source(*words) -> torch.Generator:
    """Randomness of its own for whatever the words name."""
    return torch.Generator().manual_seed(zlib.crc32("/".join(map(str, words)).encode()))


def chosen(count: int, *words) -> list[int]:
    """The numbers below `count` in an order of their own."""
    return torch.randperm(count, generator=source(*words)).tolist()


def trial(key: str, job: Job, item, again: str = "") -> list[float | None]:
    """The numbers of one item. again: for other random numbers than those of the file."""
    found = job.trial(item, source(key, item, again))
    if not all(value is None or math.isfinite(value) for value in found):
        raise ValueError(f"{key}, {item}: not finite: {found}")
    return [None if value is None else round(value, 4) for value in found]


def main(name: str, doc: str, jobs: Jobs, file: Path) -> None:
    """The command. name: of the module, which has a function `jobs`, for the other processes."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=file)
    parser.add_argument("--again", action="store_true", help="do all parts, whatever the file has")
    parser.add_argument("--only", nargs="+", default=[""], help="entries that begin so")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the items")
    options = parser.parse_args()
    try:
        begun = options.file.is_file() and not options.again
        found = json.loads(options.file.read_text(encoding="utf-8")) if begun else {}
        pc.networks.writable(options.file)
    except (ValueError, OSError) as error:
        sys.exit(f"{name}: --file {options.file}: {error}")
    todo = [key for key in jobs if key not in found and key.startswith(tuple(options.only))]
    with _pool(options.workers) as pool:
        for key in todo:
            began, job = time.monotonic(), jobs[key]()
            if pool is None or job.whole:
                torch.set_num_threads(max(1, options.workers))
                rows = [trial(key, job, item) for item in job.items]
            else:
                rows = list(pool.map(partial(_elsewhere, name, key), job.items))
            entry = {"columns": job.columns, "items": job.items, "found": rows}
            found[key] = entry if job.n is None else entry | {"n": job.n}
            text = json.dumps(found, indent=0, separators=(",", ":"))
            options.file.write_text(text.replace(",\n", ",") + "\n", encoding="utf-8")
            print(f"{key}: {summary(job, rows)} ({time.monotonic() - began:.0f} s)", flush=True)


def summary(job: Job, rows: list[list[float | None]]) -> str:
    """The mean of the first column, with its standard error."""
    first = [row[0] for row in rows if row[0] is not None]
    if len(first) < 2:
        return f"{job.columns[0]} {first}"
    mean, error = pc.metrics.mean_and_error(first)
    return f"{job.columns[0]} {mean:.3f} ± {error:.3f}"


def _pool(workers: int):
    """Processes with one thread each; None for one: it is this one."""
    if workers < 2:
        return nullcontext()
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,))


@cache
def _job(name: str, key: str) -> Job:
    return importlib.import_module(name).jobs()[key]()


def _elsewhere(name: str, key: str, item) -> list[float | None]:
    return trial(key, _job(name, key), item)

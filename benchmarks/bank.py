"""How fast prompts of one bank of pictures are evaluated together.

Prints one table: the milliseconds for the composed score, and for the score with the interaction,
of three densities over 8,240 pictures of 32 pixels; beside one of them alone, the same with three
`Empirical` densities that know nothing of each other, and what one would first write, distances by
`torch.cdist`, a softmax for each density, and its mean. Then the most memory that a call takes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import projcomp as pc
import torch
from core import peak
from projcomp import emoji
from samplers import least, seeded

LEVELS = (20.0, 3.0, 0.5)
BATCHES = (16, 128)


def prompts(table: emoji.Table) -> dict[str, list]:
    """Of each kind the (rows, weights) of two concepts; None for all rows."""
    width = len(table.styles)
    kinds = sorted(set(table.categories))
    style = table.rows(style=table.styles[3 % width])
    uneven = torch.rand(2, len(table.bank), generator=seeded(), dtype=torch.float64)
    return {
        "content x style": [(table.rows(content=table.contents[5]), None), (style, None)],
        "category x style": [(table.rows(category=kinds[-1]), None), (style, None)],
        "two weightings": [(None, w / w.sum()) for w in uneven],
    }


def plainly(points, members, x, sigma):
    """The composed score over all points, as one would first write it."""
    squares = torch.cdist(x, points).square()
    total = torch.zeros_like(x)
    for log_weights, exponent in members:
        share = (log_weights - squares / (2 * sigma**2)).softmax(1)
        total = total + exponent * (share @ points - x) / sigma**2
    return total


def logs(count: int, rows, weights) -> torch.Tensor:
    """Log weights over all points: -inf where a density has none."""
    spread = torch.zeros(count, dtype=torch.float64)
    index = torch.arange(count) if rows is None else rows
    spread[index] = 1.0 / len(index) if weights is None else weights
    return spread.log()


def speed(table: emoji.Table, batches, repeats: int) -> None:
    points, count = table.bank.points, len(table.bank)
    header = ("one", "shared", "apart", "plain", "shared + I", "apart + I")
    print(f"{count} points of {points.shape[1]} coordinates, {torch.get_num_threads()} threads: ms")
    print(f"  {'prompts, points at once, level':<34}" + "".join(f"{h:>12}" for h in header))
    one = pc.Empirical(points)
    for name, members in prompts(table).items():
        shared = pc.compose(table.bank.density(), [table.bank.density(*m) for m in members])
        apart = [pc.Empirical(points if r is None else points[r], w) for r, w in members]
        apart = pc.compose(one, apart)
        weighted = [(logs(count, None, None), 1.0 - len(members))]
        weighted += [(logs(count, *member), 1.0) for member in members]
        for batch in batches:
            for sigma in LEVELS:
                noise = torch.randn(batch, points.shape[1], generator=seeded(), dtype=points.dtype)
                x = points[:batch] + sigma * noise
                calls = (
                    lambda x=x, s=sigma: one.score(x, s),
                    lambda x=x, s=sigma, q=shared: q.score(x, s),
                    lambda x=x, s=sigma, q=apart: q.score(x, s),
                    lambda x=x, s=sigma, m=weighted: plainly(points, m, x, s),
                    lambda x=x, s=sigma, q=shared: q.score_and_interaction(x, s),
                    lambda x=x, s=sigma, q=apart: q.score_and_interaction(x, s),
                )
                for call in calls:
                    call()  # at low noise a copy in float32 is made once it is worth it
                took = "".join(f"{1e3 * least(call, repeats):>12.1f}" for call in calls)
                print(f"  {f'{name}, {batch}, {sigma:g}':<34}{took}", flush=True)


def memory(table: emoji.Table, batch: int) -> None:
    """The largest amount of memory that a call has at a time, beside what it needs."""
    points, fresh = table.bank.points, Path("/proc/self/clear_refs")
    if not fresh.exists():
        print("memory: measured on Linux only")
        return
    x = points[:batch] + 20.0
    needed = x.nbytes + batch * len(points) * 8
    print(f"memory of a call, {batch} points at once, and of its answer and one matrix: MB")
    for name, members in prompts(table).items():
        density = pc.compose(table.bank.density(), [table.bank.density(*m) for m in members])
        density.score(x[:16], 20.0)
        fresh.write_text("5")  # the peak is what is held now
        before = peak()
        density.score(x, 20.0)
        print(f"  {name:<34}{(peak() - before) / 1e6:>12.1f}{needed / 1e6:>12.1f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--quick", action="store_true", help="a small table")
    options = parser.parse_args()
    if options.threads < 1 or options.repeats < 1:
        parser.error("--threads and --repeats must be at least 1")
    torch.set_num_threads(options.threads)
    table = emoji.load(16).choose(20, 4) if options.quick else emoji.load(32)
    speed(table, BATCHES[:1] if options.quick else BATCHES, options.repeats)
    memory(table, len(table.bank) if options.quick else 1024)
    return 0


if __name__ == "__main__":
    sys.exit(main())

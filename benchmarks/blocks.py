"""How long the blocks of exact densities take to find, and the memory it needs.

Prints a table: one row for each number of coordinates, the concept a mixture whose deltas span ten
directions. Each row is measured in a process of its own; memory is what finding adds to the peak.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time

import projcomp as pc
import torch
from core import MEGABYTE, seeded, table

RANK = 10


def child(dim: int) -> None:
    """Print seconds, megabytes and the sine of the largest angle to the true block."""
    generator = seeded()
    basis = torch.randn(dim, RANK, generator=generator, dtype=torch.float64)
    basis = torch.linalg.qr(basis).Q
    means = 2 * torch.randn(RANK + 1, RANK, generator=generator, dtype=torch.float64)
    background = pc.gaussian(torch.zeros(dim, dtype=torch.float64), 1.0)
    weights = torch.full((RANK + 1,), 1 / (RANK + 1), dtype=torch.float64)
    concept = pc.GaussianMixture(weights, means @ basis.T, 1.0)
    before, start = peak(), time.perf_counter()
    (found,) = pc.find_blocks(background, [concept], generator=seeded(1))
    seconds = time.perf_counter() - start
    sine = torch.linalg.matrix_norm(found - basis @ (basis.T @ found), 2)
    print(seconds, peak() - before, found.shape[1], float(sine))


def peak() -> float:
    """Megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="threads for torch (default: 1)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    torch.set_num_threads(options.threads)
    if options.child is not None:
        child(options.child)
        return
    print(
        f"torch {torch.__version__}, Python {platform.python_version()}, {options.threads} threads"
    )
    rows = []
    for dim in (300, 1500) if options.quick else (3072, 65_536, 200_000):
        command = [sys.executable, __file__, "--child", str(dim), "--threads", str(options.threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds, memory, rank, sine = done.stdout.split()
        rows.append(
            [
                f"{dim:,}",
                rank,
                f"{float(seconds):.1f}",
                f"{float(memory):.0f}",
                f"{float(sine):.0e}",
            ]
        )
    table("blocks found", ["coordinates", "rank", "seconds", "MB", "off by"], rows)
    print("off by: the sine of the largest angle between the block that was found and the true one")


if __name__ == "__main__":
    main()

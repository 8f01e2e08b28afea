"""Builds the book with warnings as errors; shows the chapters go by and, at the end, what failed.

Run it with the environment's Python: `.venv/bin/python tools/build.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOG = ROOT / "_build" / "build.log"
INDEX = ROOT / "_build" / "html" / "index.html"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
TROUBLE = re.compile(r"\b(WARNING|ERROR|CRITICAL|SEVERE): ")
CRASH = re.compile(r"^([\w.]+Error|Extension error)\b.*:.*\S")
STEPS = ("executing chapters", "reading sources", "writing output", "copying images")
BUILD = ["build", ".", "-W", "-n", "--keep-going"]


def build() -> tuple[int, list[str]]:
    """Run the build, write all it says to the log, and return its status and its complaints."""
    complaints = []
    process = subprocess.Popen(
        [Path(sys.executable).with_name("jupyter-book"), *BUILD],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    with LOG.open("w", encoding="utf-8") as log:
        for raw in process.stdout:
            line = COLOURS.sub("", raw.replace("\r", "\n")).strip("\n")
            print(line, file=log, flush=True)
            if line.startswith(STEPS) and "%" in line:
                print(f"  {line}", flush=True)
            if TROUBLE.search(line):
                complaints.append(line.replace(f"{ROOT}{os.sep}", ""))
    return process.wait(), complaints


def main() -> int:
    LOG.parent.mkdir(exist_ok=True)
    print(f"Building the book. Log: {LOG.relative_to(ROOT)}", flush=True)
    status, complaints = build()
    if status == 0:
        print(f"The book is built. Open {INDEX}")
        return 0
    print("\nThe build failed:", file=sys.stderr)
    said = LOG.read_text(encoding="utf-8").splitlines()
    for line in complaints or list(dict.fromkeys(filter(CRASH.match, said))) or said[-15:]:
        print(f"  {line}", file=sys.stderr)
    print(f"The whole log: {LOG.relative_to(ROOT)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

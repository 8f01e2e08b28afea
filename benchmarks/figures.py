"""Speed of the live figures, in headless Chromium with software rendering.

Run `python benchmarks/figures.py` after the book is built. Prints a table: the aim and what was
measured, as median and worst of repeated runs.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from projcomp.widgets import bundle

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "_build" / "html" / "chapters" / "01-noise-and-scores.html"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

FRAMES = """async () => {
    const widget = PROJCOMP_WIDGET.start();
    const mixture = (seed) => {
        const normal = widget.math.normals(seed);
        const six = [...Array(6)];
        return { weights: six.map(() => 1 / 6), means: six.map(() => [2 * normal(), 2 * normal()]),
            covariances: six.map(() => [[0.4, 0.1], [0.1, 0.3]]) };
    };
    const state = {
        background: mixture(1), concepts: [mixture(2), mixture(3)], unconditional: null,
        weights: [1, 1], operator: "composition", sigma: 0.3, sigma_min: 0.002, sigma_max: 100,
        steps: 60, method: "heun", particles: 2000, seed: 0, show: ["composition", "parts"],
        box: [-5, -5, 5, 5], controls: ["sigma", "edit"], directions: [[1, 0], [0, 1]],
        preset: "", presets: {}, view: "plane", name: "bench", summary: "",
    };
    const model = { get: (k) => state[k], set: (k, v) => { state[k] = v; },
        on() {}, off() {}, save_changes() {} };
    const el = document.createElement("div");
    el.style.cssText = "position:fixed;inset:0;width:900px;background:white;z-index:9999";
    document.body.append(el);
    widget.render({ model, el });
    const frame = () => new Promise(requestAnimationFrame);
    for (let i = 0; i < 10; i++) await frame();
    const svg = el.querySelector("svg");
    const handle = el.querySelector('[data-handle="1.0.0"]');
    const at = handle.getBoundingClientRect();
    const [x, y] = [at.x + at.width / 2, at.y + at.height / 2];
    svg.setPointerCapture = () => {};
    const event = (kind, dx) => new PointerEvent(kind,
        { bubbles: true, pointerId: 1, button: 0, clientX: x + dx, clientY: y });
    handle.dispatchEvent(event("pointerdown", 0));
    WORK.length = 0;
    const drags = [];
    for (let i = 0; i < 120; i++) {
        const begun = performance.now();
        svg.dispatchEvent(event("pointermove", 60 * Math.sin(i / 9)));
        await frame();
        await new Promise((done) => { const c = new MessageChannel();
            c.port1.onmessage = done; c.port2.postMessage(0); });
        drags.push(WORK.splice(0).reduce((a, b) => a + b, 0));
    }
    svg.dispatchEvent(event("pointerup", 0));
    const composition = new widget.math.Composition(new widget.math.Mixture(state.background),
        state.concepts.map((m) => new widget.math.Mixture(m)), [1, 1]);
    const levels = widget.math.sigmaGrid(0.002, 100, 60);
    const paths = [];
    for (let r = 0; r < 7; r++) {
        const normal = widget.math.normals(r);
        let points = Float64Array.from({ length: 4000 }, () => 100 * normal());
        const begun = performance.now();
        let longest = 0;
        for (let s = 0; s < 60; s++) {
            const t = performance.now();
            const [high, low] = [levels[s], levels[s + 1]];
            points = widget.math.step(composition, points, high, low, "heun", normal);
            longest = Math.max(longest, performance.now() - t);
        }
        paths.push([performance.now() - begun, longest]);
    }
    el.remove();
    return { drags, paths };
}"""

# Times what runs inside animation frames: the work of a redraw, without the wait for the screen.
TIMER = """
    window.WORK = [];
    const request = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (callback) => request((now) => {
        const begun = performance.now();
        callback(now);
        window.WORK.push(performance.now() - begun);
    });
    window.BEGUN = performance.now();
"""
READY = """() => new Promise((done) => {
    const wait = () => document.querySelector(".pc-figure[data-live=yes]")
        ? done(performance.now()) : setTimeout(wait, 5);
    wait();
})"""


def measure(executable: str, loads: int) -> dict:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        ready = []
        for _ in range(loads):
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.goto(PAGE.as_uri(), wait_until="commit")
            ready.append(page.evaluate(READY))
            page.context.close()
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.add_init_script(TIMER)
        page.goto(PAGE.as_uri())
        page.wait_for_timeout(1500)
        found = page.evaluate(FRAMES)
        browser.close()
    return {**found, "ready": ready}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", type=int, default=5, help="page loads to time (default 5)")
    loads = parser.parse_args().loads
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None or not PAGE.exists():
        missing = "Chromium" if executable is None else "the built book (make book)"
        print(f"figures: not measured, {missing} is missing", file=sys.stderr)
        return 1
    found = measure(executable, loads)
    paths, slices = zip(*found["paths"], strict=True)
    packed = len(gzip.compress((bundle.module() + bundle.style()).encode())) / 1000
    rows = [
        ("redraw while dragging, 3 mixtures of 6 at 160 x 160", "16 ms", "50 ms", found["drags"]),
        ("2,000 paths of 60 Heun steps", "150 ms", "", paths),
        ("longest uninterrupted slice of it", "50 ms", "50 ms", slices),
        ("first figure ready after load from disk", "1000 ms", "", found["ready"]),
    ]
    print(f"{'':<52}{'aim':>9}{'median':>12}{'worst':>12}")
    for name, aim, _, values in rows:
        worst = max(values)
        print(f"{name:<52}{aim:>9}{statistics.median(values):>9.1f} ms{worst:>9.1f} ms")
    print(f"{'script and style of the widget, gzipped':<52}{'60 kB':>9}{packed:>9.1f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

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

import projcomp as pc
import torch
from playwright.sync_api import sync_playwright
from projcomp import scenes
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
        kind: "explorer", background: mixture(1), concepts: [mixture(2), mixture(3)],
        unconditional: null,
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

# A lattice of 24 pictures of 32 x 32 for each place: from noise to three pictures, and a click.
LATTICE = """async (given) => {
    const { math, render } = PROJCOMP_WIDGET.start();
    const bank = new math.Bank(given.bank);
    const clutter = new math.Clutter(9, { rate: given.rate });
    const chosen = [...Array(9).keys()];
    const samples = [], slices = [];
    for (let r = 0; r < 9; r++) {
        const start = math.startOf(r, given.levels[0], bank.empty.length);
        let spent = 0;
        for (const rule of Object.values(math.SETTINGS)) {
            const path = new math.PicturePath(bank, (logs) => rule(chosen, logs, clutter),
                given.levels, start);
            while (!path.done) {
                const begun = performance.now();
                path.advance();
                const took = performance.now() - begun;
                slices.push(took);
                spent += took;
            }
        }
        if (r > 1) samples.push(spent); // the first ones are compiled
    }
    const state = { ...given, readout: {} };
    const model = { get: (k) => state[k], set: (k, v) => { state[k] = v; },
        on() {}, off() {}, save_changes() {} };
    const el = document.createElement("div");
    el.style.cssText = "position:fixed;inset:0;width:900px;background:white;z-index:9999";
    document.body.append(el);
    const stop = render({ model, el });
    const canvas = el.querySelectorAll("canvas")[0];
    const frame = () => new Promise(requestAnimationFrame);
    const picture = () => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
        .data.join();
    await new Promise((done) => setTimeout(done, 500));
    const buttons = [...el.querySelectorAll("button[aria-pressed]")].slice(0, 9);
    const clicks = [], frames = [];
    for (const button of buttons) {
        const before = picture();
        WORK.length = 0;
        const begun = performance.now();
        button.click();
        do await frame(); while (picture() === before && performance.now() - begun < 5000);
        clicks.push(performance.now() - begun);
        frames.push(Math.max(...WORK.splice(0)));
    }
    stop();
    el.remove();
    return { samples, slices, clicks, frames };
}"""

# A prompt over 800 pictures of 16 x 16: from a click on a style to the first sample, and to all.
PROMPT = """async (given) => {
    const { render } = PROJCOMP_WIDGET.start();
    const state = { ...given, readout: {} };
    const model = { get: (k) => state[k], set: (k, v) => { state[k] = v; },
        on() {}, off() {}, save_changes() {} };
    const el = document.createElement("div");
    el.style.cssText = "position:fixed;inset:0;width:900px;background:white;z-index:9999";
    document.body.append(el);
    const frame = () => new Promise(requestAnimationFrame);
    const begun = performance.now();
    const stop = render({ model, el });
    const opened = [performance.now() - begun];
    const marks = [...el.querySelectorAll(".pc-mark")].slice(1);
    const whole = (count) => marks.slice(0, count).every(({ innerText }) => /[✓✗]/.test(innerText));
    while (!whole(4)) await frame();
    const firsts = [], alls = [], frames = [];
    for (const button of el.querySelectorAll(".pc-styles button[aria-pressed=false]")) {
        WORK.length = 0;
        const begun = performance.now();
        button.click();
        do await frame(); while (!whole(1));
        firsts.push(performance.now() - begun);
        while (!whole(4)) await frame();
        alls.push(performance.now() - begun);
        frames.push(Math.max(...WORK.splice(0)));
    }
    stop();
    el.remove();
    return { opened, firsts, alls, frames };
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


def lattice() -> pc.Lattice:
    """Nine places with 24 rendered pictures each."""

    def pictures(count: int, place: torch.Tensor, seed: int, there=None) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        where = place.expand(count, 1, 2)
        objects = scenes.random_objects(where, there, generator=generator, place_jitter=0.05)
        return scenes.render(objects, 32).flatten(1)

    places = scenes.lattice()
    empty = pictures(1, places[4], 0, torch.zeros(1, 1, dtype=torch.bool))[0]
    return pc.Lattice(empty, [pictures(24, place, seed) for seed, place in enumerate(places)])


def prompt() -> pc.Prompt:
    """A hundred contents in eight styles."""
    table = pc.emoji.load(pixels=16).distinct()
    return pc.Prompt(table.choose(contents=100, generator=torch.Generator().manual_seed(0)))


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
        found["lattice"] = page.evaluate(LATTICE, lattice().state())
        found["prompt"] = page.evaluate(PROMPT, prompt().state())
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
        ("lattice, 3 settings of 24 levels at 32 x 32", "3000 ms", "", found["lattice"]["samples"]),
        ("longest uninterrupted slice of it", "50 ms", "", found["lattice"]["slices"]),
        ("from a click on a place to its pictures", "300 ms", "", found["lattice"]["clicks"]),
        ("longest frame on the way", "50 ms", "", found["lattice"]["frames"]),
        ("prompt over 800 pictures, opened", "50 ms", "", found["prompt"]["opened"]),
        ("from a click on a style to the first sample", "300 ms", "", found["prompt"]["firsts"]),
        ("from that click to all four", "2000 ms", "", found["prompt"]["alls"]),
        ("longest frame on the way", "50 ms", "", found["prompt"]["frames"]),
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

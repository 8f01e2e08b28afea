"""A browser driven by a reader's hand: pages opened, figures found, handles dragged."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

# Resolves when the formulas are typeset: until then a page is too busy to be tested.
TYPESET = """() => new Promise((done) => {
    const wait = () => window.MathJax?.startup?.promise?.then(done) ?? setTimeout(wait, 20);
    if (document.querySelector("script[src*=mathjax]")) wait();
    else done();
})"""
STATE = "figure => JSON.parse(JSON.stringify(%s.map(key => figure.pcModel.get(key))))"


def open_page(browser: Browser, path: Path, fragment: str = "", **options) -> Page:
    view = {"viewport": {"width": 1280, "height": 900}, **options}
    context = browser.new_context(offline=True, **view)
    page = context.new_page()
    page.goto(path.as_uri() + fragment)
    if options.get("java_script_enabled", True):
        page.evaluate(TYPESET)
    return page


def mount_all(page: Page) -> None:
    """Scroll to every live figure, and wait until it is one."""
    for found in page.locator(".pc-figure").all():
        found.scroll_into_view_if_needed()
        expect(found).to_have_attribute("data-live", "yes")
        expect(found.locator(".pc-summary")).not_to_be_empty()
    page.evaluate("window.scrollTo(0, 0)")


def figure(page: Page, name: str) -> Locator:
    """The figure of that name, scrolled into view and alive."""
    index = page.evaluate(
        """name => [...document.querySelectorAll(".pc-figure")].findIndex(
            f => JSON.parse(f.querySelector("script").textContent).name === name)""",
        name,
    )
    found = page.locator(".pc-figure").nth(index)
    found.scroll_into_view_if_needed()
    expect(found).to_have_attribute("data-live", "yes")
    expect(found.locator(".pc-summary")).not_to_be_empty()
    return found


def state(found: Locator, *keys: str) -> list:
    return found.evaluate(STATE % json.dumps(keys))


def told(found: Locator, **traits) -> dict:
    """Set traits, if any, as from a notebook, and wait for the numbers that follow."""
    found.evaluate(
        """(figure, traits) => {
            if (Object.keys(traits).length) figure.pcModel.set("readout", {});
            Object.entries(traits).forEach(([key, value]) => figure.pcModel.set(key, value));
        }""",
        traits,
    )
    found.page.wait_for_function(
        "figure => figure.pcModel.get('readout').normalisable", arg=found.element_handle()
    )
    return state(found, "readout")[0]


def handle(found: Locator, key: str) -> Locator:
    return found.locator(f'[data-handle="{key}"]')


def centre(handle: Locator) -> tuple[float, float]:
    box = handle.locator("path").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(found: Locator, key: str, right: float, down: float) -> None:
    """A handle by so many pixels, with the mouse."""
    handle(found, key).scroll_into_view_if_needed()
    (x, y), mouse = centre(handle(found, key)), found.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + right, y + down, steps=4)
    mouse.up()


def finger(page: Page, x: float, y: float, right: float, down: float) -> None:
    """A finger set down, moved by so many pixels and lifted, as the screen would report it."""
    client = page.context.new_cdp_session(page)

    def send(kind: str, *points: dict) -> None:
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", {"x": x, "y": y})
    for step in range(1, 9):
        send("touchMove", {"x": x + right * step / 8, "y": y + down * step / 8})
    send("touchEnd")


def copied(found: Locator, label: str) -> str:
    """What a button puts on the clipboard (which a test may not read)."""
    return found.evaluate(
        """async (figure, label) => {
            let text = null;
            const clipboard = { writeText: async (t) => { text = t; } };
            Object.defineProperty(navigator, "clipboard", { configurable: true, value: clipboard });
            [...figure.querySelectorAll("button")].find(b => b.textContent === label).click();
            await new Promise(done => setTimeout(done, 50));
            return text;
        }""",
        label,
    )


def pixels(found: Locator, which: int = 0) -> list[int]:
    """Red, green and opacity of every eleventh pixel of a picture, once all is drawn."""
    return (
        found.locator(".pc-plane, .pc-picture")
        .nth(which)
        .evaluate(
            """async canvas => {
                for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
                const { data } = canvas.getContext("2d").getImageData(
                    0, 0, canvas.width, canvas.height);
                return Array.from({ length: Math.floor(data.length / 44) },
                    (_, i) => [data[44 * i], data[44 * i + 1], data[44 * i + 3]]).flat();
            }"""
        )
    )


def largest_change(before: list[int], after: list[int]) -> int:
    return max(abs(a - b) for a, b in zip(before, after, strict=True))

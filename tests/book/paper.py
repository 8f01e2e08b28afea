"""What a page is like on paper: found out under the browser's emulation of print."""

from __future__ import annotations

from playwright.sync_api import Page

LEAST_CONTRAST = 4.5

# Texts of the article whose colour is too near to what they stand on, or to white paper.
FAINT = """([article, least]) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const known = new Map();
    const rgba = (colour) => {
        if (!known.has(colour)) {
            pen.clearRect(0, 0, 1, 1);
            pen.fillStyle = colour;
            pen.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
            known.set(colour, [r, g, b, a / 255]);
        }
        return known.get(colour);
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => a * c + (1 - a) * below[i]);
    const grounds = new Map([[null, [255, 255, 255]]]);
    const ground = (node) => {
        if (!grounds.has(node)) {
            const own = rgba(getComputedStyle(node).backgroundColor);
            grounds.set(node, over(own, ground(node.parentElement)));
        }
        return grounds.get(node);
    };
    const light = (colour) => colour
        .map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const found = new Set();
    const seen = new Set();
    const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const { parentElement: node, data } = texts.currentNode;
        if (!data.trim() || seen.has(node)) continue;
        seen.add(node);
        if (node.closest("script, style, mjx-assistive-mml") || !node.checkVisibility()) continue;
        const below = ground(node);
        const ink = over(rgba(getComputedStyle(node).color), below);
        // Many print no backgrounds.
        const contrast = Math.min(...[below, [255, 255, 255]].map((paper) => {
            const [dark, bright] = [light(ink), light(paper)].sort((a, b) => a - b);
            return (bright + 0.05) / (dark + 0.05);
        }));
        if (contrast < least) found.add(`${contrast.toFixed(1)}: ${data.trim().slice(0, 40)}`);
    }
    if (seen.size < 50) found.add(`only ${seen.size} texts`);
    return [...found];
}"""

# Frames that would stay behind, empty, where what they hold moves to the next page.
LOOSE = """article => {
    const inked = (colour) => !/^(transparent|rgba\\(.*, 0\\))$/.test(colour);
    const framed = (node) => {
        const { backgroundColor, borderLeftWidth, borderLeftColor } = getComputedStyle(node);
        return inked(backgroundColor) || (parseFloat(borderLeftWidth) && inked(borderLeftColor));
    };
    const found = new Set();
    for (const node of article.querySelectorAll("div, pre, details, aside")) {
        if (!node.checkVisibility() || !node.textContent.trim() || !framed(node)) continue;
        const kept = (box) => box !== article
            && (getComputedStyle(box).breakInside === "avoid" || kept(box.parentElement));
        if (!kept(node)) found.add(`${node.tagName} ${node.className}`);
        // What fills it and moves on by itself leaves it empty, though it be longer than a page.
        for (const inner of node.querySelectorAll("div, pre")) {
            const alone = inner.textContent.trim() === node.textContent.trim();
            if (alone && getComputedStyle(inner).breakInside === "avoid") {
                found.add(`${inner.className} in ${node.className}`);
            }
        }
    }
    return [...found];
}"""


def faint(page: Page) -> list[str]:
    """Texts that can't be read on white paper."""
    return page.evaluate(FAINT, [page.query_selector(".bd-article"), LEAST_CONTRAST])


def loose(page: Page) -> list[str]:
    """Frames that a page may end in the midst of."""
    return page.locator(".bd-article").evaluate(LOOSE)

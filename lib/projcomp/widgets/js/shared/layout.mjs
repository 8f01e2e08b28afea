// The elements that figures have in common, in their places.

import { button, element } from "./controls.mjs";

const SVG = "http://www.w3.org/2000/svg";

export const canvas = (name, words) => element("canvas", { class: name, role: "img", "aria-label": words });

/** Whether nothing may form before the reader's eyes. */
export const unmoved = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** What every figure has: {root, notices, legend, summary}. */
export function common(label) {
  return {
    root: element("div", { class: "pc-live", role: "group", "aria-label": label }),
    notices: element("div", { class: "pc-notice", role: "status", hidden: true }),
    legend: element("div", { class: "pc-stack" }, element("div", { class: "pc-legend pc-keys" })),
    summary: element("div", { class: "pc-summary", "aria-live": "polite" }),
  };
}

/** A canvas, and room for handles over it: {plane, svg, view}. */
export function pane(words) {
  const plane = canvas("pc-plane", words);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "pc-handles");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "Handles");
  return { plane, svg, view: element("div", { class: "pc-field-of-view" }, plane, svg) };
}

/**
 * Put the picture and what belongs under it beside the panel. What comes and goes is last, so that
 * no control moves under a reader's hand.
 */
export function place({ root, notices, stage, legend, summary }, panel) {
  const left = element("div", { class: "pc-left" }, stage, legend, panel.transport);
  root.append(element("div", { class: "pc-body" }, left, panel.node, panel.chosen), notices, summary);
}

/** Show a text (none hides it), perhaps with more behind it. */
export function notify(notices, text, ...more) {
  notices.replaceChildren(text, ...more);
  notices.hidden = !text;
}

/** The text in the clipboard; where there is none, in a box to be copied by hand. */
export async function copy(notices, text, what) {
  try {
    await navigator.clipboard.writeText(text);
    notify(notices, `${what} copied.`);
  } catch {
    const area = element("textarea", { readonly: true, "aria-label": what, rows: 6 });
    area.value = text;
    notify(notices, `${what}, to copy: `, area);
    area.select();
  }
}

export const wayBack = (onClick) => button("Back to the start", onClick);

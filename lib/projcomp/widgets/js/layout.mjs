// The figure's elements, in their places.

import { button, element } from "./controls.mjs";

const SVG = "http://www.w3.org/2000/svg";

/** {root, notices, stage, plane, svg, margins, legend, summary}; the panel is put in by `place`. */
export function layout(label) {
  const canvas = (name, words) => element("canvas", { class: name, role: "img", "aria-label": words });
  const root = element("div", { class: "pc-explorer", role: "group", "aria-label": label });
  const notices = element("div", { class: "pc-notice", role: "status", hidden: true });
  const plane = canvas("pc-plane", "The picture; its state is summed up in words below");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "pc-handles");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "Handles");
  const margins = [canvas("pc-top", "First shadow"), canvas("pc-side", "Second shadow, or precisions")];
  const view = element("div", { class: "pc-field-of-view" }, plane, svg);
  const stage = element("div", { class: "pc-stage" }, margins[0], view, margins[1]);
  const legend = element("div", { class: "pc-legend" });
  const summary = element("div", { class: "pc-summary", "aria-live": "polite" });
  return { root, notices, stage, plane, svg, margins, legend, summary };
}

export function place({ root, notices, stage, legend, summary }, panel) {
  const left = element("div", { class: "pc-left" }, stage, legend, panel.transport);
  root.append(notices, element("div", { class: "pc-body" }, left, panel.node), summary);
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

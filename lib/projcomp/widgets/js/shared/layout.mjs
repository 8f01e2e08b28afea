// The figure's elements, in their places.

import { button, element } from "./controls.mjs";

const SVG = "http://www.w3.org/2000/svg";

const canvas = (name, words) => element("canvas", { class: name, role: "img", "aria-label": words });

/** What every figure has: {root, notices, legend, summary}. */
function common(label) {
  return {
    root: element("div", { class: "pc-explorer", role: "group", "aria-label": label }),
    notices: element("div", { class: "pc-notice", role: "status", hidden: true }),
    legend: element("div", { class: "pc-legend" }),
    summary: element("div", { class: "pc-summary", "aria-live": "polite" }),
  };
}

/** A canvas, with room for handles over it. */
function pane(words) {
  const plane = canvas("pc-plane", words);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "pc-handles");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "Handles");
  return { plane, svg, view: element("div", { class: "pc-field-of-view" }, plane, svg) };
}

/** {root, notices, stage, plane, svg, margins, legend, summary}; the panel is put in by `place`. */
export function layout(label) {
  const { plane, svg, view } = pane("The picture; its state is summed up in words below");
  const margins = [canvas("pc-top", "First shadow"), canvas("pc-side", "Second shadow, or precisions")];
  const stage = element("div", { class: "pc-stage" }, margins[0], view, margins[1]);
  return { ...common(label), stage, plane, svg, margins };
}

/** The same with two planes side by side, handles on the first, each under its title. */
export function pair(label, [first, second]) {
  const [left, right] = [first, second].map((title) =>
    pane(`${title}; their state is summed up in words below`));
  right.svg.remove();
  const titled = (title, { view }) =>
    element("div", { class: "pc-pane" }, element("div", { class: "pc-title" }, title), view);
  const stage = element("div", { class: "pc-pair" }, titled(first, left), titled(second, right));
  return { ...common(label), stage, plane: left.plane, svg: left.svg, second: right.plane };
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

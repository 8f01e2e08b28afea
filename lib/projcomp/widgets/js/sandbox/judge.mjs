// Examines a composition in slices while nothing else goes on, and shows the verdict as a list.

import { examine } from "../maths/examine.mjs";
import { element } from "../shared/controls.mjs";
import { LINKS, verdictOf } from "./verdict.mjs";

const REST = 350; // ms without a change, before the work begins
const SLICE = 10; // ms
const MARKS = { true: "holds", false: "fails", null: "open" };

/** On a page of the book, beside the chapters. */
const inBook = () => document.querySelector(".bd-article") !== null;

export class Judge {
  /**
   * given: directions for concepts that have no one of their own. tell(verdict, numbers): called
   * when a verdict is reached; leave(): when a link is followed.
   */
  constructor({ given, tell, leave }) {
    Object.assign(this, { given, tell, leave });
    this.title = element("p", { class: "pc-finding-title" }, "Examining the composition …");
    this.list = element("ul");
    this.node = element("div", { class: "pc-finding", role: "region", "aria-label": "verdict" },
      element("div", { "aria-live": "polite" }, this.title, this.list));
    this.key = null;
  }

  /** Reach a verdict on a scene, unless it is the one that was reached or is being worked on. */
  consider({ composition, state, parts, how }) {
    const key = parts + how;
    if (key === this.key) return;
    this.stop();
    this.key = key;
    this.node.setAttribute("aria-busy", "true");
    const work = examine(composition, state, this.given);
    this.timer = setTimeout(() => this.carryOn(work, state), REST);
  }

  carryOn(work, state) {
    const end = performance.now() + SLICE;
    let step;
    do step = work.next();
    while (!step.done && performance.now() < end);
    if (!step.done) this.timer = setTimeout(() => this.carryOn(work, state));
    else this.show(verdictOf(step.value, state), step.value);
  }

  stop() {
    clearTimeout(this.timer);
    this.key = null;
  }

  show(verdict, numbers) {
    this.title.textContent = `${verdict.title}.`;
    this.title.dataset.kind = verdict.kind;
    this.list.replaceChildren(...verdict.findings.map((finding) => this.item(finding)));
    this.node.removeAttribute("aria-busy");
    this.tell(verdict, numbers);
  }

  item({ topic, holds, text, link }) {
    const [page, place, name] = LINKS[link];
    const why = inBook()
      ? element("a", { href: `${page}.html#${place}`, onclick: () => this.leave() }, name)
      : name;
    const [number] = page.split("-");
    return element("li", { "data-topic": topic, "data-holds": MARKS[holds] }, `${text} (Chapter ${Number(number)}: `, why, ".)");
  }
}

// The panel: a figure's controls, and those that more than one figure has.

import { button, checkbox, element, group } from "./controls.mjs";

/**
 * `transport` goes under the figure's picture, `node` beside it, and `chosen`, which comes and goes,
 * after both; all follow its state.
 */
export class Panel {
  constructor(host) {
    this.host = host;
    this.followers = [];
    this.node = element("div", { class: "pc-panel" });
    this.transport = element("div", { class: "pc-transport" });
    this.chosen = element("div", { class: "pc-chosen", role: "group", "aria-label": "chosen component", hidden: true });
  }

  /** Make every control show the state. */
  follow(state) {
    for (const follower of this.followers) follower(state);
  }

  add(parent, control, follower) {
    parent.append(control.node);
    this.followers.push(follower);
  }

  /** Checkboxes for what is drawn. names: {layer: text}. */
  layers(names) {
    const { host } = this;
    const boxes = Object.entries(names).map(([layer, text]) => {
      const control = checkbox(text, (on) => {
        const rest = host.state.show.filter((l) => l !== layer);
        host.change({ show: on ? [...rest, layer] : rest });
      });
      this.followers.push((s) => control.set(s.show.includes(layer)));
      return control.node;
    });
    this.node.append(group("layers", true, ...boxes));
  }

  /** The button that starts and stops the figure's player. */
  playing() {
    this.playButton = button("Play", () => this.host.play());
    this.playButton.className = "pc-play";
    return this.playButton;
  }

  /** What the player tells the panel. */
  moves(on) {
    if (this.playButton) this.playButton.textContent = on ? "Pause" : "Play";
  }

  reseeding(label) {
    const { host } = this;
    return button(label, () => host.change({ seed: host.state.seed + 1 }), { title: "the next seed" });
  }

  /** snippet: makes Python of a state, with the figure's name and summary. */
  copying(snippet) {
    const { host } = this;
    const whole = () => ({ ...host.state, name: host.model.get("name"), summary: host.model.get("summary") });
    return button("Copy as Python", () => host.copy(snippet(whole()), "Python"));
  }

  /** The buttons that every figure ends with, after some of its own. */
  sharing(parent, ...own) {
    const { host } = this;
    parent.append(element(
      "div", { class: "pc-buttons" }, ...own,
      button("Copy link", () => host.copyLink()),
      button("Reset", () => host.reset()),
    ));
  }
}

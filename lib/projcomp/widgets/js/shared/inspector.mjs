// The chosen component's numbers: mean, spread and share, to read and to type.

import { button, element, group, number, slider } from "./controls.mjs";
import { componentOf } from "./editing.mjs";

/** Adds the group to a panel, open or folded; names: of the coordinates. */
export function inspector(panel, names, open = true) {
  const { host } = panel;
  const box = group("chosen component", open);
  const name = element("p", { class: "pc-hint" });
  box.append(name);
  const current = () => {
    const part = host.selected && host.parts()[host.selected[0]];
    return part ? componentOf(part, host.selected[1]) : null;
  };
  const edit = (make) => {
    const component = current();
    if (component) host.edit(...host.selected, make(component));
  };
  const entry = (label, get, set, limits) => {
    const control = number(label, limits, (value) => value !== null && edit((c) => set(c, value)));
    panel.add(box, control, () => {
      const component = current();
      control.input.disabled = !component;
      if (component) control.set(Number(get(component).toFixed(3)));
    });
  };
  const far = { min: -100, max: 100, step: 0.1 };
  names.forEach((label, axis) => {
    const move = (c, v) => ({ mean: c.mean.map((old, i) => (i === axis ? v : old)) });
    entry(label, (c) => c.mean[axis], move, far);
  });
  const spread = { min: 0.05, max: 20, step: 0.05 };
  const scale = (c, v) => {
    const factor = v ** 2 / c.covariance[0][0];
    return { covariance: c.covariance.map((row) => row.map((value) => value * factor)) };
  };
  entry(`spread in ${names[0]}`, (c) => Math.sqrt(c.covariance[0][0]), scale, spread);
  const weight = slider("share", {
    min: 0.02, max: 1, step: 0.01, show: (w) => w.toFixed(2), onInput: (value) => edit(() => ({ weight: value })),
  });
  panel.add(box, weight, () => {
    const component = current();
    weight.input.disabled = !component || component.size === 1;
    if (component) weight.set(component.weight);
    name.textContent = component
      ? `${host.parts()[host.selected[0]].name}, component ${host.selected[1] + 1}`
      : "Choose a handle in the picture.";
  });
  box.append(element(
    "div", { class: "pc-buttons" },
    button("Add component", () => host.addComponent()),
    button("Remove", () => host.selected && host.edit(...host.selected, "delete")),
  ));
  panel.node.append(box);
}

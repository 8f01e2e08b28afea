// The chosen component's numbers: mean, spread and share, to read and to type.

import { button, element, number, slider } from "./controls.mjs";
import { componentOf } from "./editing.mjs";

/** Fills the panel's group for the chosen component, which is there while one is; names: of the coordinates. */
export function inspector(panel, names) {
  const { host, chosen: box } = panel;
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
  panel.followers.push(() => {
    box.hidden = !current();
    if (!box.hidden) name.textContent = `${host.parts()[host.selected[0]].name}, component ${host.selected[1] + 1}`;
  });
  const add = (control, show) => panel.add(box, control, () => {
    const component = current();
    if (component) show(component);
  });
  const entry = (label, get, set, limits) => {
    const control = number(label, limits, (value) => edit((c) => set(c, value)));
    add(control, (component) => control.set(Number(get(component).toFixed(3))));
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
  add(weight, (component) => {
    weight.input.disabled = component.size === 1;
    weight.set(component.weight);
  });
  box.append(element(
    "div", { class: "pc-buttons" },
    button("Add component", () => host.addComponent()),
    button("Remove", () => host.edit(...host.selected, "delete")),
  ));
}

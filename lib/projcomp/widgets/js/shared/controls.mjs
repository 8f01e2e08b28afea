// Ordinary form controls.

export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** A labelled range; `set(value)` moves it without an event. `show` formats its value. */
export function slider(label, { min, max, step, show = String, from = Number, to = Number, onInput }) {
  const output = element("output");
  const input = element("input", { type: "range", min, max, step, "aria-label": label });
  const set = (value) => {
    const position = String(to(value));
    if (input.value !== position) input.value = position;
    output.textContent = show(value);
    input.setAttribute("aria-valuetext", show(value));
  };
  input.addEventListener("input", () => {
    const value = from(Number(input.value));
    output.textContent = show(value);
    input.setAttribute("aria-valuetext", show(value));
    onInput(value);
  });
  input.addEventListener("keydown", (e) => e.stopPropagation());
  const node = element("label", { class: "pc-slider" }, element("span", {}, label), input, output);
  return { node, set, input };
}

export function select(label, options, onInput) {
  const input = element(
    "select",
    { "aria-label": label, onchange: () => onInput(input.value) },
    ...Object.entries(options).map(([value, text]) => element("option", { value }, text)),
  );
  const node = element("label", { class: "pc-field" }, element("span", {}, label), input);
  return { node, input, set: (value) => (input.value = value) };
}

/** A labelled number; `set(value)` leaves alone what a reader is typing. */
export function number(label, { min, max, step = 1 }, onInput) {
  let typing = false;
  let shown = "";
  const input = element("input", {
    type: "number", min, max, step, "aria-label": label,
    oninput: () => (typing = true),
    onchange: () => {
      const text = input.value;
      typing = false;
      input.value = shown; // until the state has taken what was typed
      const value = Number(text);
      if (text !== "" && Number.isFinite(value)) onInput(Math.min(max, Math.max(min, value)));
    },
    onkeydown: (e) => e.stopPropagation(),
  });
  const node = element("label", { class: "pc-field" }, element("span", {}, label), input);
  const set = (value) => {
    shown = String(value);
    if (!typing && input.value !== shown) input.value = shown;
  };
  return { node, input, set };
}

export function checkbox(label, onInput) {
  const input = element("input", { type: "checkbox", onchange: () => onInput(input.checked) });
  const node = element("label", { class: "pc-check" }, input, element("span", {}, label));
  return { node, input, set: (value) => (input.checked = value) };
}

export function button(label, onClick, { title, pressed } = {}) {
  return element("button", { type: "button", onclick: onClick, title, "aria-pressed": pressed }, label);
}

/** A node in the room of the largest of some others, which are not seen: so nothing below it moves. */
export function inRoomOf(node, others) {
  const rooms = others.map((other) => element("div", { class: "pc-room", "aria-hidden": "true" }, other));
  return element("div", { class: "pc-stack" }, node, ...rooms);
}

/** A folding group; open or closed at first. */
export function group(title, open, ...children) {
  return element("details", { class: "pc-group", open }, element("summary", {}, title), ...children);
}

export function list(entries) {
  const node = element("dl", { class: "pc-readout" });
  const values = {};
  for (const [key, label] of Object.entries(entries)) {
    values[key] = element("dd");
    node.append(element("div", {}, element("dt", {}, label), values[key]));
  }
  const set = (key, text) => {
    if (values[key] && values[key].textContent !== text) values[key].textContent = text;
  };
  return { node, set };
}

/** Two or more buttons of which one is pressed. */
export function choices(label, options, onInput) {
  const buttons = Object.entries(options).map(([value, text]) => {
    const node = button(text, () => onInput(value));
    return { value, node };
  });
  const node = element("div", { class: "pc-choices", role: "group", "aria-label": label }, ...buttons.map((b) => b.node));
  const set = (value) => {
    for (const b of buttons) b.node.setAttribute("aria-pressed", String(b.value === value));
  };
  return { node, set };
}

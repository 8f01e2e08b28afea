// Handles on the plane: each component's mean, and the two tips of its one-sigma ellipse.
// Small marks in large invisible targets; pointer, touch and keyboard alike.

const SVG = "http://www.w3.org/2000/svg";
const TARGET = 22; // half of 44 px
const NAMES = ["mean", "first axis", "second axis"];

/** Eigenvalues (large first) and the angle of the large one, of a 2 x 2 covariance. */
export function axes([[a, b], [, d]]) {
  const middle = (a + d) / 2;
  const gap = Math.hypot((a - d) / 2, b);
  const angle = gap < 1e-12 ? 0 : 0.5 * Math.atan2(2 * b, a - d);
  return { large: middle + gap, small: Math.max(middle - gap, 1e-9), angle };
}

export function covarianceOf({ large, small, angle }) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const cross = (large - small) * c * s;
  return [
    [large * c * c + small * s * s, cross],
    [cross, large * s * s + small * c * c],
  ];
}

/** Where a handle lies on the plane: the mean (role 0) or a tip of the one-sigma ellipse (1, 2). */
export function onEllipse(part, k, role) {
  const [x, y] = part.spec.means[k];
  if (!role) return [x, y];
  const { large, small, angle } = axes(part.spec.covariances[k]);
  const length = Math.sqrt(role === 1 ? large : small);
  const turn = angle + (role === 2 ? Math.PI / 2 : 0);
  return [x + length * Math.cos(turn), y + length * Math.sin(turn)];
}

const clampVariance = (v) => Math.min(400, Math.max(0.0025, v));

export class Handles {
  /**
   * onEdit(part, component, change) is called with {mean} or {covariance}, or "delete"; present()
   * gives the parts as they are now, which may be ahead of what was last drawn.
   */
  constructor(svg, { onEdit, onSelect, onEnd, present }) {
    this.svg = svg;
    Object.assign(this, { onEdit, onSelect, onEnd, present });
    this.marks = new Map();
    this.drag = null;
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    svg.addEventListener("pointermove", (e) => this.move(e), { signal });
    for (const end of ["pointerup", "pointercancel"]) {
      svg.addEventListener(end, (e) => this.release(e), { signal });
    }
  }

  destroy() {
    this.listeners.abort();
  }

  /**
   * parts: [{name, spec, colour, shape}], drawn over `frame`; selected: [part, component];
   * position(part, k, role): where a handle lies.
   */
  draw(parts, frame, selected, position) {
    this.parts = parts;
    this.frame = frame;
    this.position = position;
    const wanted = new Set();
    parts.forEach((part, p) => {
      part.spec.weights.forEach((_, k) => {
        const chosen = selected?.[0] === p && selected?.[1] === k;
        const tips = part.spec.means[k].length === 1 ? [1] : [1, 2];
        for (const role of chosen ? [0, ...tips] : [0]) {
          const key = `${p}.${k}.${role}`;
          wanted.add(key);
          this.place(key, p, k, role, chosen);
        }
      });
    });
    for (const [key, mark] of this.marks) {
      if (!wanted.has(key)) {
        mark.group.remove();
        this.marks.delete(key);
      }
    }
  }

  place(key, p, k, role, chosen) {
    const { name, spec, colour, shape } = this.parts[p];
    const { frame } = this;
    const [x, y] = this.position(this.parts[p], k, role);
    const label = `${name}, component ${k + 1}, ${NAMES[role]}`;
    let mark = this.marks.get(key);
    if (!mark) {
      mark = this.make(key, p, k, role);
      this.marks.set(key, mark);
    }
    const { group, dot } = mark;
    group.setAttribute("transform", `translate(${frame.x(x)} ${frame.y(y)})`);
    group.setAttribute("aria-label", label);
    const line = spec.means[k].length === 1;
    group.setAttribute("aria-valuenow", x.toFixed(2));
    group.setAttribute("aria-valuetext", line ? x.toFixed(2) : `${x.toFixed(2)}, ${y.toFixed(2)}`);
    const size = role ? 4.5 : chosen ? 8 : 6.5;
    dot.setAttribute("d", role ? outline("square", size) : outline(shape, size));
    dot.setAttribute("fill", role ? "var(--pc-paper)" : colour);
    dot.setAttribute("stroke", role ? colour : chosen ? "var(--pc-ink)" : "var(--pc-paper)");
  }

  make(key, p, k, role) {
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("class", "pc-handle");
    group.setAttribute("tabindex", "0");
    group.setAttribute("role", "slider");
    group.dataset.handle = key;
    const target = document.createElementNS(SVG, "circle");
    target.setAttribute("r", String(role ? 14 : TARGET));
    target.setAttribute("fill", "transparent");
    const dot = document.createElementNS(SVG, "path");
    dot.setAttribute("stroke-width", "2");
    group.append(target, dot);
    const { signal } = this.listeners;
    group.addEventListener("pointerdown", (e) => this.press(e, p, k, role), { signal });
    group.addEventListener("keydown", (e) => this.key(e, p, k, role), { signal });
    group.addEventListener("focus", () => this.onSelect(p, k), { signal });
    this.svg.append(group);
    return { group, dot };
  }

  press(event, p, k, role) {
    if (event.button) return;
    event.preventDefault();
    this.drag = { p, k, role, pointer: event.pointerId };
    this.svg.setPointerCapture(event.pointerId);
    this.marks.get(`${p}.${k}.${role}`)?.group.focus({ preventScroll: true });
    this.onSelect(p, k);
  }

  move(event) {
    if (!this.drag || event.pointerId !== this.drag.pointer) return;
    const { p, k, role } = this.drag;
    const bounds = this.svg.getBoundingClientRect();
    const clampPx = (value, size) => Math.min(size - 2, Math.max(2, value));
    const [x, y] = this.frame.back(
      clampPx(event.clientX - bounds.left, bounds.width),
      clampPx(event.clientY - bounds.top, bounds.height),
    );
    this.moveTo(p, k, role, x, y);
  }

  moveTo(p, k, role, x, y) {
    const { spec } = this.present()[p];
    const line = spec.means[k].length === 1;
    if (role === 0) return this.onEdit(p, k, { mean: line ? [x] : [x, y] });
    if (line) {
      const variance = clampVariance((x - spec.means[k][0]) ** 2);
      return this.onEdit(p, k, { covariance: [[variance]] });
    }
    const [mx, my] = spec.means[k];
    const shape = axes(spec.covariances[k]);
    const length = clampVariance((x - mx) ** 2 + (y - my) ** 2);
    const angle = Math.atan2(y - my, x - mx) - (role === 2 ? Math.PI / 2 : 0);
    const [large, small] = role === 1 ? [length, shape.small] : [shape.large, length];
    return this.onEdit(p, k, { covariance: covarianceOf({ large, small, angle }) });
  }

  release(event) {
    if (!this.drag || event.pointerId !== this.drag.pointer) return;
    this.drag = null;
    this.onEnd();
  }

  key(event, p, k, role) {
    const part = this.present()[p];
    const { spec } = part;
    const unit = (this.frame.right - this.frame.left) / (event.shiftKey ? 20 : 100);
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const scale = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 }[event.key];
    if (moves[event.key]) {
      const [x, y] = this.position(part, k, role);
      this.moveTo(p, k, role, x + unit * moves[event.key][0], y + unit * moves[event.key][1]);
    } else if (scale) {
      const covariance = spec.covariances[k].map((row) => row.map((c) => c * scale));
      if (clampVariance(covariance[0][0]) !== covariance[0][0]) return;
      this.onEdit(p, k, { covariance });
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.onEdit(p, k, "delete");
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation(); // the notebook has shortcuts of its own
    this.onEnd();
  }
}

function outline(shape, r) {
  if (shape === "square") return `M${-r} ${-r}H${r}V${r}H${-r}Z`;
  if (shape === "triangle") return `M0 ${-1.25 * r}L${1.15 * r} ${0.8 * r}H${-1.15 * r}Z`;
  if (shape === "diamond") return `M0 ${-1.3 * r}L${1.3 * r} 0L0 ${1.3 * r}L${-1.3 * r} 0Z`;
  return `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`;
}

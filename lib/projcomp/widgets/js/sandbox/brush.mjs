// What a pointer does in the plane besides dragging handles: a click that adds, a stroke that paints.

const SVG = "http://www.w3.org/2000/svg";

export class Brush {
  /**
   * host: the sandbox, with its `tool`, `frame`, `radius`, `addAt(x, y)` and `paintStroke(points)`.
   * Strokes are drawn as the pointer goes, and handed over when it is lifted.
   */
  constructor(host, svg, signal) {
    Object.assign(this, { host, svg });
    this.stroke = null;
    this.mark = document.createElementNS(SVG, "polyline");
    this.mark.setAttribute("class", "pc-stroke");
    svg.prepend(this.mark);
    svg.addEventListener("pointerdown", (e) => this.press(e), { signal });
    svg.addEventListener("pointermove", (e) => this.move(e), { signal });
    svg.addEventListener("pointerup", (e) => this.lift(e), { signal });
    svg.addEventListener("pointercancel", () => this.drop(), { signal });
  }

  at(event) {
    const bounds = this.svg.getBoundingClientRect();
    const inside = (value, size) => Math.min(size, Math.max(0, value));
    return this.host.frame.back(
      inside(event.clientX - bounds.left, bounds.width), inside(event.clientY - bounds.top, bounds.height),
    );
  }

  press(event) {
    if (this.host.tool === "move" || event.button || this.stroke) return;
    event.preventDefault();
    this.pointer = event.pointerId;
    this.svg.setPointerCapture(event.pointerId);
    this.stroke = [this.at(event)];
    this.show();
  }

  move(event) {
    if (!this.stroke || event.pointerId !== this.pointer || this.host.tool !== "paint") return;
    this.stroke.push(this.at(event));
    this.show();
  }

  lift(event) {
    if (!this.stroke || event.pointerId !== this.pointer) return;
    const { stroke } = this;
    this.drop();
    if (this.host.tool === "add") this.host.addAt(...stroke[0]);
    else this.host.paintStroke(stroke);
  }

  drop() {
    this.stroke = null;
    this.show();
  }

  show() {
    const { frame, radius, tool } = this.host;
    const points = this.stroke && tool === "paint" ? [this.stroke[0], ...this.stroke] : [];
    this.mark.setAttribute("points", points.map(([x, y]) => `${frame.x(x)},${frame.y(y)}`).join(" "));
    this.mark.setAttribute("stroke-width", String(2 * radius * frame.sx));
    this.mark.setAttribute("stroke", this.host.part()?.colour ?? "none");
  }
}

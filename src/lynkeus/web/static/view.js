// Zoom and pan by CSS transforms; several panes share one view, so that the same place stays side by side.
const CLOSEST = 16; // screen pixels of one image pixel
const SVG = "http://www.w3.org/2000/svg";

const between = (low, value, high) => Math.min(Math.max(value, low), high);

export class View {
  // spots: [{ x, y, area }] in image pixels; changed: called with this after every change.
  constructor(panes, width, height, spots, changed) {
    Object.assign(this, { panes, width, height, spots, changed, scale: 1, x: 0, y: 0, chosen: -1, fitted: true });
    this.pointers = new Map();
    for (const pane of panes) {
      const stage = pane.querySelector(".stage").style;
      [stage.width, stage.height] = [`${width}px`, `${height}px`];
      pane.style.aspectRatio = `${width} / ${height}`;
      pane.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
      pane.addEventListener("pointerdown", (event) => this.#down(event));
      pane.addEventListener("pointermove", (event) => this.#move(event));
      for (const end of ["pointerup", "pointercancel"]) pane.addEventListener(end, (event) => this.#up(event));
      pane.addEventListener("dblclick", (event) => this.zoom(2, this.#at(event)));
    }
    new ResizeObserver(() => (this.fitted ? this.fit() : this.#update())).observe(panes[0]);
    this.fit();
  }

  get #box() { return this.panes[0].getBoundingClientRect(); }

  get #fitScale() { return Math.min(this.#box.width / this.width, this.#box.height / this.height); }

  fit() {
    this.scale = this.#fitScale;
    this.fitted = true;
    this.#update();
  }

  // To a scale times the present one, keeping one point of the pane where it is.
  zoom(factor, [px, py] = [this.#box.width / 2, this.#box.height / 2]) {
    const scale = between(this.#fitScale, this.scale * factor, Math.max(CLOSEST, this.#fitScale));
    [this.x, this.y] = [px - ((px - this.x) * scale) / this.scale, py - ((py - this.y) * scale) / this.scale];
    this.scale = scale;
    this.fitted = scale === this.#fitScale;
    this.#update();
  }

  move(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#update();
  }

  // Centre a spot, large enough to see it and its surroundings.
  show(number) {
    const spot = this.spots[number];
    if (!spot) return;
    const box = this.#box;
    this.chosen = number;
    const wanted = Math.min(box.width, box.height) / (5 * diameter(spot));
    this.scale = Math.max(between(0.5, wanted, 4), this.#fitScale);
    [this.x, this.y] = [box.width / 2 - spot.x * this.scale, box.height / 2 - spot.y * this.scale];
    this.fitted = false;
    this.#update();
  }

  // Image pixel under the pointer.
  pixel(event) {
    const [px, py] = this.#at(event);
    return [Math.floor((px - this.x) / this.scale), Math.floor((py - this.y) / this.scale)];
  }

  #at(event) {
    const box = event.currentTarget.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #wheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), this.#at(event));
  }

  #down(event) {
    if (event.button) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.#at(event));
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.#at(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (!other) return this.move(now[0] - before[0], now[1] - before[1]);
    const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
    this.zoom(apart(now) / apart(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
  }

  #up(event) { this.pointers.delete(event.pointerId); }

  #update() {
    const { width, height } = this.#box;
    if (!width) return;
    // A smaller image stays in the middle, of a larger one some part stays in the middle.
    const held = (value, room, size) => (size <= room + 1 ? (room - size) / 2 : between(room / 2 - size, value, room / 2));
    this.x = held(this.x, width, this.width * this.scale);
    this.y = held(this.y, height, this.height * this.scale);
    for (const pane of this.panes) {
      pane.querySelector(".stage").style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
      pane.classList.toggle("close", this.scale >= 2);
      pane.classList.toggle("zoomed", !this.fitted);
      pane.querySelector(".spots").replaceChildren(...this.spots.flatMap((spot, k) => this.#circle(spot, k)));
    }
    this.changed(this);
  }

  #circle(spot, number) {
    const [cx, cy] = [this.x + spot.x * this.scale, this.y + spot.y * this.scale];
    const r = Math.max(0.75 * diameter(spot) * this.scale, 14);
    const ring = (name) => {
      const circle = document.createElementNS(SVG, "circle");
      for (const [key, value] of Object.entries({ cx, cy, r, class: name })) circle.setAttribute(key, value);
      return circle;
    };
    const text = document.createElementNS(SVG, "text");
    for (const [key, value] of Object.entries({ x: cx + r * 0.71 + 3, y: cy - r * 0.71 - 3 })) text.setAttribute(key, value);
    text.textContent = number + 1;
    return [ring("under"), ring(number === this.chosen ? "chosen" : "over"), text];
  }
}

const diameter = (spot) => (spot.area > 0 ? 2 * Math.sqrt(spot.area / Math.PI) : 8);

"use strict";
// The plane of a detector: a rectangle for each pad, drawn by WebGL once and moved by its shader; outlines lie on a
// second canvas above. Without WebGL the visible pads are drawn on that one.

class PadPlane {
  constructor(base, over, pads) {
    this.base = base; this.over = over; this.pads = pads;
    this.colours = new Uint8Array(pads.n * 4);
    this.outlines = []; this.chosen = -1;
    this.gl = base.getContext("webgl", { antialias: false });
    const { x, y, w, l, n } = pads;
    let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < n; i++) {
      x0 = Math.min(x0, x[i] - w[i] / 2); x1 = Math.max(x1, x[i] + w[i] / 2);
      y0 = Math.min(y0, y[i] - l[i] / 2); y1 = Math.max(y1, y[i] + l[i] / 2);
    }
    this.frame = [x0, y0, x1, y1];
    this.index();
    if (this.gl) this.prepare();
    this.fit();
  }

  // Which pads lie in which cell of a grid: what is under the pointer is found at once.
  index() {
    const [x0, y0, x1, y1] = this.frame, side = Math.max(1, Math.ceil(Math.sqrt(this.pads.n / 4)));
    this.side = side; this.cell = [(x1 - x0) / side || 1, (y1 - y0) / side || 1];
    const at = i => this.cellOf(this.pads.x[i], this.pads.y[i]), start = new Uint32Array(side * side + 1);
    for (let i = 0; i < this.pads.n; i++) start[at(i) + 1]++;
    for (let k = 0; k < side * side; k++) start[k + 1] += start[k];
    const next = start.slice(), own = new Uint32Array(this.pads.n);
    for (let i = 0; i < this.pads.n; i++) own[next[at(i)]++] = i;
    this.start = start; this.own = own;
  }

  cellOf(x, y) {
    const c = (v, k) => Math.max(0, Math.min(this.side - 1, Math.floor((v - this.frame[k]) / this.cell[k])));
    return c(y, 1) * this.side + c(x, 0);
  }

  at(x, y) {
    const { x: px, y: py, w, l } = this.pads, k = this.cellOf(x, y);
    for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) {
      const cell = k + dy * this.side + dx;
      if (cell < 0 || cell >= this.side * this.side) continue;
      for (let j = this.start[cell]; j < this.start[cell + 1]; j++) {
        const i = this.own[j];
        if (Math.abs(px[i] - x) <= w[i] / 2 && Math.abs(py[i] - y) <= l[i] / 2) return i;
      }
    }
    return -1;
  }

  prepare() {
    const gl = this.gl, shader = (kind, text) => {
      const made = gl.createShader(kind); gl.shaderSource(made, text); gl.compileShader(made); return made;
    };
    const program = gl.createProgram();
    gl.attachShader(program, shader(gl.VERTEX_SHADER, "attribute vec2 p; attribute vec4 c; uniform vec4 v; varying vec4 k;" +
      "void main() { k = c; gl_Position = vec4((p - v.xy) * v.zw, 0.0, 1.0); }"));
    gl.attachShader(program, shader(gl.FRAGMENT_SHADER, "precision mediump float; varying vec4 k; void main() { gl_FragColor = k; }"));
    gl.linkProgram(program); gl.useProgram(program);
    this.view = gl.getUniformLocation(program, "v");
    const { x, y, w, l, n } = this.pads, points = new Float32Array(n * 12);
    // A gap of a twelfth between pads, which is not seen from afar.
    for (let i = 0; i < n; i++) {
      const a = x[i] - w[i] * 0.46, b = x[i] + w[i] * 0.46, c = y[i] - l[i] * 0.46, d = y[i] + l[i] * 0.46;
      points.set([a, c, b, c, a, d, a, d, b, c, b, d], i * 12);
    }
    this.buffer(program, "p", points, 2, gl.FLOAT, false);
    this.paint = this.buffer(program, "c", new Uint8Array(n * 24), 4, gl.UNSIGNED_BYTE, true);
  }

  buffer(program, name, data, size, type, scaled) {
    const gl = this.gl, made = gl.createBuffer(), place = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, made); gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(place); gl.vertexAttribPointer(place, size, type, scaled, 0, 0);
    return made;
  }

  // colour: i -> number of one of the colours, each [red, green, blue] of 0 to 255
  colour(of, colours) {
    const four = new Uint8Array(colours.length * 4), packed = new Uint32Array(four.buffer);
    colours.forEach(([r, g, b], k) => four.set([r, g, b, 255], k * 4));
    const all = new Uint32Array(this.pads.n * (this.gl ? 6 : 0)), own = new Uint32Array(this.colours.buffer);
    for (let i = 0; i < this.pads.n; i++) {
      const c = own[i] = packed[of(i)];
      if (this.gl) all.fill(c, i * 6, i * 6 + 6);
    }
    if (this.gl) { this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.paint); this.gl.bufferData(this.gl.ARRAY_BUFFER, all, this.gl.STATIC_DRAW); }
    this.draw();
  }

  size() {
    const ratio = window.devicePixelRatio || 1, box = this.over.getBoundingClientRect();
    for (const one of [this.base, this.over]) { one.width = Math.round(box.width * ratio); one.height = Math.round(box.height * ratio); }
    this.ratio = ratio;
  }

  fit(frame = this.frame, room = 1.04) {
    this.size();
    const [x0, y0, x1, y1] = frame;
    this.centre = [(x0 + x1) / 2, (y0 + y1) / 2];
    this.scale = Math.min(this.over.width / ((x1 - x0) * room || 1), this.over.height / ((y1 - y0) * room || 1));
    this.draw();
  }

  toScreen(x, y) { return [(x - this.centre[0]) * this.scale + this.over.width / 2, (this.centre[1] - y) * this.scale + this.over.height / 2]; }

  toPlane(cx, cy) {
    const box = this.over.getBoundingClientRect(), px = (cx - box.left) * this.ratio, py = (cy - box.top) * this.ratio;
    return [(px - this.over.width / 2) / this.scale + this.centre[0], this.centre[1] - (py - this.over.height / 2) / this.scale];
  }

  zoom(factor, cx, cy) {
    const box = this.over.getBoundingClientRect();
    const [x, y] = this.toPlane(cx ?? box.left + box.width / 2, cy ?? box.top + box.height / 2);
    const next = Math.max(this.scale * factor, 1e-3), real = Math.min(next, 400) / this.scale;
    this.centre = [x + (this.centre[0] - x) / real, y + (this.centre[1] - y) / real];
    this.scale *= real;
    this.draw();
  }

  move(dx, dy) { this.centre = [this.centre[0] - dx * this.ratio / this.scale, this.centre[1] + dy * this.ratio / this.scale]; this.draw(); }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.drawNow(); });
  }

  drawNow() {
    const pen = this.over.getContext("2d");
    pen.clearRect(0, 0, this.over.width, this.over.height);
    if (this.gl) {
      const gl = this.gl;
      gl.viewport(0, 0, this.base.width, this.base.height);
      gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform4f(this.view, this.centre[0], this.centre[1], 2 * this.scale / this.base.width, 2 * this.scale / this.base.height);
      gl.drawArrays(gl.TRIANGLES, 0, this.pads.n * 6);
    } else this.drawFlat(pen);
    for (const one of this.outlines) {
      const [a, b] = this.toScreen(one.frame[0], one.frame[3]), [c, d] = this.toScreen(one.frame[2], one.frame[1]);
      if (c < 0 || a > this.over.width || d < 0 || b > this.over.height) continue;
      pen.lineWidth = 1.5 * this.ratio; pen.strokeStyle = one.colour;
      pen.strokeRect(a - 3, b - 3, c - a + 6, d - b + 6);
      if ((c - a) > 26 * this.ratio) { pen.fillStyle = one.colour; pen.font = `${12 * this.ratio}px system-ui`; pen.fillText(one.words, a - 2, b - 7); }
    }
    if (this.chosen >= 0) {
      const { x, y, w, l } = this.pads, i = this.chosen, [a, b] = this.toScreen(x[i] - w[i] / 2, y[i] + l[i] / 2);
      const wide = Math.max(w[i] * this.scale, 6), high = Math.max(l[i] * this.scale, 6);
      pen.lineWidth = 3 * this.ratio; pen.strokeStyle = "#000"; pen.strokeRect(a - 2, b - 2, wide + 4, high + 4);
      pen.lineWidth = 1.5 * this.ratio; pen.strokeStyle = "#fff"; pen.strokeRect(a - 2, b - 2, wide + 4, high + 4);
    }
  }

  drawFlat(pen) {
    const { x, y, w, l, n } = this.pads, c = this.colours;
    for (let i = 0; i < n; i++) {
      const [a, b] = this.toScreen(x[i] - w[i] / 2, y[i] + l[i] / 2), wide = w[i] * this.scale, high = l[i] * this.scale;
      if (a + wide < 0 || b + high < 0 || a > this.over.width || b > this.over.height) continue;
      pen.fillStyle = `rgb(${c[i * 4]},${c[i * 4 + 1]},${c[i * 4 + 2]})`;
      pen.fillRect(a, b, Math.max(wide * 0.92, 1), Math.max(high * 0.92, 1));
    }
  }
}

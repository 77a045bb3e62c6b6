"use strict";
// The page of pads: fetches columns as arrays of numbers, colours the plane, shows spectra, and takes labels by keys.
// An exported file has everything in window.PADS, and takes no labels.

const KINDS = { class: Uint8Array, order: Uint32Array };
const NAMED = { good: [92, 148, 110], dead: [232, 232, 236], noisy: [224, 100, 60], "gain shift": [150, 120, 235], "double peak": [236, 84, 150], "low statistics": [150, 150, 158], saturated: [238, 190, 50], edge: [60, 150, 215], other: [176, 130, 90] };
const OTHERS = [[0, 180, 180], [200, 60, 60], [170, 200, 60], [90, 90, 220]];
const colourOf = k => NAMED[about.classes[k].toLowerCase().replaceAll("_", " ")] ?? (about.good?.[k] ? NAMED.good : OTHERS[k % OTHERS.length]);
const byId = id => document.getElementById(id);

const source = window.PADS ? {
  about: async () => window.PADS.about,
  column: async name => unpacked(name, Uint8Array.from(atob(window.PADS.columns[name]), c => c.charCodeAt(0)).buffer),
  pad: async i => ({ facts: factsOf(i), name: null, spectrum: window.PADS.spectra?.[i] ? { ...window.PADS.shared, counts: window.PADS.spectra[i] } : null }),
} : {
  about: async () => (await answered(await fetch("/api/v1/pads/about"))).json(),
  column: async name => unpacked(name, await (await answered(await fetch(`/api/v1/pads/columns/${encodeURIComponent(name)}`))).arrayBuffer()),
  pad: async i => (await answered(await fetch(`/api/v1/pads/${i}`))).json(),
};

function unpacked(name, buffer) { return new (KINDS[name] ?? Float32Array)(buffer); }

async function answered(answer) {
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `the server answers ${answer.status}`);
  return answer;
}

let about, plane, classes, order, at = -1, shown = null, columns = {}, labels = {};

function factsOf(i) {
  const found = {};
  for (const name of about.numbers) if (columns[name]) found[name] = columns[name][i];
  return { ...found, class: about.classes[classes[i]] };
}

async function column(name) { return columns[name] ??= await source.column(name); }

async function begin() {
  about = await source.about();
  labels = about.labels ?? {};
  const [x, y, w, l] = await Promise.all(["x", "y", "width", "length"].map(column));
  classes = await source.column("class");
  plane = new PadPlane(byId("plane-base"), byId("plane"), { x, y, w, l, n: about.pads });
  plane.outlines = about.clusters.map(one => ({ ...one, colour: "#ff5a4f", words: `${one.size} ${one.kind}${one.card ? `, card ${one.card}` : ""}` }));
  for (const name of about.numbers) byId("quantity").append(new Option(name.replace("probability_", "probability: ").replaceAll("_", " "), name));
  legend(); clusters(); listen(); await paint();
  if (window.PADS) for (const name of about.numbers) column(name);
  byId("state").textContent = `${about.pads.toLocaleString("en")} pads of ${about.file}`;
  document.body.dataset.ready = "yes";
}

async function paint() {
  const name = byId("quantity").value;
  if (name === "class") { plane.colour(i => classes[i], about.classes.map((_, k) => colourOf(k))); byId("scale").textContent = ""; return; }
  const values = await column(name), every = Math.ceil(values.length / 20000);  // of many pads some say where most values lie
  const known = values.filter((v, i) => i % every === 0 && Number.isFinite(v)).sort();
  const low = known[Math.floor(0.01 * (known.length - 1))] ?? 0, high = known[Math.floor(0.99 * (known.length - 1))] ?? 1;
  const steps = 255 / (high - low || 1), colours = [...Array.from({ length: 256 }, (_, k) => ramp(k / 255)), [200, 60, 200]];
  plane.colour(i => Number.isFinite(values[i]) ? Math.max(0, Math.min(255, Math.round((values[i] - low) * steps))) : 256, colours);
  byId("scale").textContent = `dark ${low.toPrecision(4)} to light ${high.toPrecision(4)} (1 to 99 % of pads); not known: magenta`;
}

function ramp(t) {  // viridis, by five of its colours
  const steps = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], s = Math.max(0, Math.min(1, t)) * 4;
  const k = Math.min(3, Math.floor(s)), part = s - k;
  return steps[k].map((v, c) => Math.round(v + (steps[k + 1][c] - v) * part));
}

function legend() {
  about.classes.forEach((name, k) => {
    const item = document.createElement("li"), mark = document.createElementNS("http://www.w3.org/2000/svg", "svg"), box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    mark.setAttribute("width", 14); mark.setAttribute("height", 12); box.setAttribute("width", 12); box.setAttribute("height", 12);
    box.setAttribute("fill", `rgb(${colourOf(k)})`); mark.append(box);
    item.append(mark, ` ${name} ${about.counts[k].toLocaleString("en")}`);
    byId("legend").append(item);
  });
}

function clusters() {
  for (const one of about.clusters.slice(0, 40)) {
    const row = byId("clusters").insertRow(), button = document.createElement("button");
    button.textContent = `${one.size} pads`; button.type = "button";
    button.addEventListener("click", () => { plane.fit(one.frame, 3); choose(one.first); });
    row.insertCell().append(button);
    for (const word of [one.kind, `sector ${one.sector}`, one.card ? `card ${one.card}` : "several cards"]) row.insertCell().textContent = word;
  }
  byId("no-clusters").hidden = about.clusters.length > 0;
}

async function choose(i) {
  if (i < 0) return;
  plane.chosen = i; plane.draw();
  try { shown = { i, ...(await source.pad(i)) }; } catch (error) { return say(error.message); }
  if (plane.chosen !== i) return;
  const f = shown.facts, line = (name, value) => { const a = document.createElement("dt"), b = document.createElement("dd"); a.textContent = name; b.textContent = value; byId("facts").append(a, b); };
  byId("facts").replaceChildren();
  byId("which").textContent = `sector ${f.sector}, row ${f.row}, pad ${f.pad}`;
  line("class", `${f.class}${f.verdict ? ` (${f.verdict})` : ""}`);
  if (f.reason) line("why", f.reason);
  if (f.gain != null) line("gain", `${f.gain.toFixed(4)} ± ${(f.gain_error ?? 0).toFixed(4)}${f.gain_source && f.gain_source !== "fit" ? ", of its neighbours" : ""}`);
  if (f.counts != null) line("counts", f.counts.toLocaleString("en"));
  if (f.card != null) line("card, channel", `${f.card}, ${f.channel ?? "-"}`);
  for (const [name, value] of Object.entries(f).filter(([name]) => name.startsWith("probability_") && !name.endsWith("p_value")).sort((a, b) => b[1] - a[1]).slice(0, 3))
    line(name.slice(12).replaceAll("_", " "), `${(100 * value).toFixed(1)} %`);
  byId("said").textContent = labels[shown.name] ? `labelled ${labels[shown.name]}` : "";
  spectrum(shown.spectrum);
}

function spectrum(found) {
  const canvas = byId("spectrum"), pen = canvas.getContext("2d"), { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  byId("no-spectrum").hidden = !!found;
  if (!found) return;
  const style = getComputedStyle(document.documentElement), of = name => style.getPropertyValue(name).trim();
  const total = v => v.reduce((a, b) => a + b, 0), own = total(found.counts), scaled = v => { const s = own / (total(v) || 1); return v.map(x => x * s); };
  const lines = [[scaled(found.mean), of("--reference"), 2], [scaled(found.neighbours), of("--line-2"), 2], [found.counts, of("--accent"), 2.5]];
  const top = Math.max(1, ...lines.flatMap(([v]) => v)) * 1.05, log = byId("log").checked, n = found.counts.length;
  const up = v => log ? Math.log1p(v) / Math.log1p(top) : v / top, left = 46, bottom = 24;
  for (const [values, colour, wide] of lines) {
    pen.beginPath(); pen.strokeStyle = colour; pen.lineWidth = wide;
    values.forEach((v, k) => {
      const a = left + (width - left) * k / n, b = left + (width - left) * (k + 1) / n, h = (height - bottom) * (1 - up(v));
      k ? pen.lineTo(a, h) : pen.moveTo(a, h); pen.lineTo(b, h);
    });
    pen.stroke();
  }
  pen.fillStyle = of("--muted"); pen.font = "16px system-ui";
  pen.fillText(Math.round(top), 2, 16); pen.fillText("0", 28, height - bottom);
  pen.fillText(found.edges[0].toPrecision(3), left, height - 5);
  pen.fillText(`charge ${found.edges[n].toPrecision(4)}`, width - 112, height - 5);
}

async function give(label) {
  if (!shown?.name) return;
  const form = new URLSearchParams({ label, pad: shown.name, who: byId("who").value });
  const answer = await fetch(`/api/v1/pads/${shown.i}/label`, { method: "POST", body: form });
  if (answer.status === 401) return say("labels need the server's token: sign in first");
  if (!answer.ok) return say((await answer.json().catch(() => ({}))).detail ?? "refused");
  labels[shown.name] = label;
  say(`${Object.keys(labels).length} pads labelled`);
  if (byId("scan").getAttribute("aria-pressed") === "true") next(1); else byId("said").textContent = `labelled ${label}`;
}

async function next(step) {
  order ??= await source.column("order");
  const name = i => ["sector", "row", "pad"].map(part => columns[part][i]).join("/");
  await Promise.all(["sector", "row", "pad"].map(column));
  do at += step; while (at > 0 && at < order.length - 1 && labels[name(order[at])]);
  at = Math.max(0, Math.min(order.length - 1, at));
  const i = order[at];
  plane.centre = [columns.x[i], columns.y[i]]; plane.scale = Math.max(plane.scale, 30 / columns.width[i] * plane.ratio / 3);
  await choose(i);
}

function say(text) { byId("state").textContent = text; }

async function retrain() {
  const answer = await fetch("/api/v1/pads/retrain", { method: "POST", body: new URLSearchParams({ go: "1" }) });
  if (!answer.ok) return say((await answer.json().catch(() => ({}))).detail ?? "refused");
  say("learning from the labels ...");
  const wait = setInterval(async () => {
    const state = await (await fetch("/api/v1/pads/retrain/state")).json();
    if (state.running) return;
    clearInterval(wait);
    if (state.stamp !== about.stamp) location.reload(); else say(state.said || "nothing changed");
  }, 1500);
}

function listen() {
  const over = byId("plane");
  let from = null, moved = false;
  over.addEventListener("pointerdown", e => { from = [e.clientX, e.clientY]; moved = false; over.setPointerCapture(e.pointerId); });
  over.addEventListener("pointermove", e => {
    if (!from) return;
    const [dx, dy] = [e.clientX - from[0], e.clientY - from[1]];
    if (!moved && Math.hypot(dx, dy) < 4) return;
    moved = true; from = [e.clientX, e.clientY]; plane.move(dx, dy);
  });
  over.addEventListener("pointerup", e => { if (from && !moved) choose(plane.at(...plane.toPlane(e.clientX, e.clientY))); from = null; });
  over.addEventListener("wheel", e => { e.preventDefault(); plane.zoom(Math.exp(-e.deltaY * 0.0015), e.clientX, e.clientY); }, { passive: false });
  window.addEventListener("resize", () => { plane.size(); plane.draw(); });
  byId("quantity").addEventListener("change", paint);
  byId("outlines").addEventListener("change", e => { plane.kept ??= plane.outlines; plane.outlines = e.target.checked ? plane.kept : []; plane.draw(); });
  byId("log").addEventListener("change", () => shown && spectrum(shown.spectrum));
  byId("whole").addEventListener("click", () => plane.fit());
  byId("closer").addEventListener("click", () => plane.zoom(1.6));
  byId("farther").addEventListener("click", () => plane.zoom(1 / 1.6));
  byId("scan")?.addEventListener("click", e => {
    const on = e.target.getAttribute("aria-pressed") !== "true";
    e.target.setAttribute("aria-pressed", on);
    if (on) { at = -1; next(1); }
  });
  for (const button of document.querySelectorAll("[data-label]")) button.addEventListener("click", () => give(button.dataset.label));
  byId("retrain")?.addEventListener("click", retrain);
  document.addEventListener("keydown", e => {
    if (e.target.matches("input, select, textarea") || e.ctrlKey || e.metaKey || e.altKey) return;
    const button = document.querySelector(`[data-key="${e.key}"]`);
    if (button) { button.click(); return; }
    const does = { "+": () => plane.zoom(1.6), "-": () => plane.zoom(1 / 1.6), n: () => next(1), b: () => next(-1),
      ArrowLeft: () => plane.move(80, 0), ArrowRight: () => plane.move(-80, 0), ArrowUp: () => plane.move(0, 80), ArrowDown: () => plane.move(0, -80) }[e.key];
    if (does) { e.preventDefault(); does(); }
  });
}

begin().catch(error => say(`the pads cannot be shown: ${error.message}`));

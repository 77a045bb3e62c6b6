// The wall: tiles as the server sends them, and strips of the last minutes that move on between two events.
import { tellAges } from "./ago.js";
import "./remember.js";

const wall = document.getElementById("wall");
const lost = document.getElementById("lost");
const SPAN_MS = Number(wall.dataset.minutes) * 60000;
const series = new Map(); // key -> { points: [[ms, nats]], at: when the last one came, by this machine }
const AROUND = [-10, 12]; // nats from the budget to the foot and to the head of a strip
let heardMs = Date.now();

function take(points) {
  for (const [key, fresh] of Object.entries(points)) {
    const one = series.get(key) ?? { points: [], at: 0 };
    const last = one.points.length ? one.points.at(-1)[0] : -Infinity;
    one.points.push(...fresh.filter(([ms]) => ms > last));
    const begin = one.points.at(-1)[0] - SPAN_MS;
    one.points = one.points.filter(([ms]) => ms >= begin);
    one.at = performance.now();
    series.set(key, one);
  }
}

function draw(canvas) {
  const one = series.get(canvas.dataset.key);
  const box = canvas.getBoundingClientRect();
  const ratio = devicePixelRatio || 1;
  const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const paint = canvas.getContext("2d");
  paint.clearRect(0, 0, width, height);
  const budget = Number(canvas.dataset.budget);
  const share = (nats) => (Math.min(Math.max(nats - budget, AROUND[0]), AROUND[1]) - AROUND[0]) / (AROUND[1] - AROUND[0]);
  const y = (nats) => height - 2 * ratio - share(nats) * (height - 4 * ratio);
  paint.strokeStyle = colour("--line");
  paint.lineWidth = ratio;
  for (let minute = 0; minute <= SPAN_MS / 60000; minute += 1) {
    const x = Math.round((width * minute * 60000) / SPAN_MS) + 0.5;
    paint.beginPath(); paint.moveTo(x, height); paint.lineTo(x, height - (minute % 5 ? 4 : 9) * ratio); paint.stroke();
  }
  paint.strokeStyle = colour("--alarm");
  paint.setLineDash([5 * ratio, 5 * ratio]);
  paint.beginPath(); paint.moveTo(0, y(budget)); paint.lineTo(width, y(budget)); paint.stroke();
  paint.setLineDash([]);
  if (!one) return;
  // The right edge is the last point and what has passed since it came, so that a strip moves, and a stop is seen.
  const edge = one.points.at(-1)[0] + Math.min(performance.now() - one.at, SPAN_MS);
  const x = (ms) => width * (1 - (edge - ms) / SPAN_MS);
  const step = one.points.length > 1 ? (one.points.at(-1)[0] - one.points[0][0]) / (one.points.length - 1) : 0;
  paint.lineWidth = 1.5 * ratio;
  let before = null;
  for (const point of one.points) {
    const [ms, nats] = point;
    if (nats !== null) {
      paint.strokeStyle = paint.fillStyle = colour(nats >= budget ? "--alarm" : "--accent");
      if (before && ms - before[0] <= Math.max(5 * step, 3000)) {
        paint.beginPath(); paint.moveTo(x(before[0]), y(before[1])); paint.lineTo(x(ms), y(nats)); paint.stroke();
      } else paint.fillRect(x(ms) - ratio, y(nats) - ratio, 2 * ratio, 2 * ratio);
    }
    before = nats === null ? null : point;
  }
}

function drawAll() { for (const canvas of wall.querySelectorAll("canvas")) draw(canvas); }

function hear(message) {
  heardMs = Date.now();
  lost.hidden = !message.trouble;
  if (message.trouble) lost.textContent = message.trouble;
  if (message.points) take(message.points);
  if (message.html) {
    const fresh = new DOMParser().parseFromString(message.html, "text/html").body.firstElementChild;
    const mark = (one) => one.getAttribute("href") ?? one.dataset.alarm;
    const focused = wall.contains(document.activeElement) ? mark(document.activeElement) : null;
    wall.replaceChildren(fresh);
    if (focused) [...wall.querySelectorAll("a, button")].find((one) => mark(one) === focused)?.focus();
    document.title = message.open ? `(${message.open} open) Wall` : "Wall";
    tellAges(wall);
  }
  drawAll();
}

// One form for all alarms, outside of what the server sends again: what somebody types stays.
const dialog = document.getElementById("acknowledge");
const form = dialog.querySelector("form");

function refuse(text) {
  const line = form.querySelector("[role=alert]");
  line.textContent = text;
  line.hidden = !text;
}

wall.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-alarm]");
  if (!button) return;
  dialog.dataset.alarm = button.dataset.alarm;
  dialog.querySelector("h2").textContent = button.dataset.what;
  if (form) refuse("");
  dialog.showModal();
});
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const headers = { "Content-Type": "application/json" };
  try {
    const answer = await fetch(`/api/v1/alarms/${dialog.dataset.alarm}/acknowledge`, { method: "POST", headers, body });
    if (!answer.ok) {
      const said = (await answer.json().catch(() => ({}))).detail;
      return refuse(typeof said === "string" ? said : "This was refused.");
    }
    form.elements.note.value = "";
    dialog.close();
  } catch {
    refuse("The server does not answer; try again.");
  }
});

const events = new EventSource("/wall/events");
events.onmessage = (event) => hear(JSON.parse(event.data));
setInterval(() => {
  drawAll();
  if (Date.now() - heardMs < 8000) return;
  lost.hidden = false;
  lost.textContent = `This page has not heard from its server since ${new Date(heardMs).toISOString().slice(11, 19)} UTC: what it shows is old.`;
}, 500);
addEventListener("pagehide", () => events.close());
addEventListener("resize", drawAll);

// The page of one image: view, map, spots, keys, and what a person types again and again.
import "./ago.js";
import { View } from "./view.js";

const page = document.getElementById("image");
const byId = (id) => document.getElementById(id);

// A browser may refuse to remember; then it forgets.
function recall(name, otherwise) {
  try { return localStorage.getItem(`lynkeus.${name}`) ?? otherwise; } catch { return otherwise; }
}
function remember(name, value) {
  try { localStorage.setItem(`lynkeus.${name}`, value); } catch { /* forgets */ }
}

function startView() {
  const earlier = byId("earlier");
  const panes = [byId("viewer"), earlier].filter(Boolean);
  const buttons = [...document.querySelectorAll("button.spot")];
  const spots = buttons.map(({ dataset }) => ({ x: Number(dataset.x), y: Number(dataset.y), area: Number(dataset.area) }));
  const told = byId("zoom");
  const view = new View(panes, Number(page.dataset.width), Number(page.dataset.height), spots, ({ scale, chosen }) => {
    told.textContent = `${Math.round(100 * scale)} %`;
    buttons.forEach((button, number) => button.setAttribute("aria-pressed", number === chosen));
  });
  buttons.forEach((button, number) => button.addEventListener("click", () => view.show(number)));
  const zooms = { in: () => view.zoom(1.5), out: () => view.zoom(1 / 1.5), fit: () => view.fit(), one: () => view.zoom(1 / view.scale) };
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);
  const cursor = byId("cursor");
  const size = cursor.textContent;
  for (const pane of panes) {
    pane.addEventListener("pointermove", (event) => { cursor.textContent = `x ${view.pixel(event)[0]}, y ${view.pixel(event)[1]}`; });
    pane.addEventListener("pointerleave", () => { cursor.textContent = size; });
    const full = pane.querySelector(".full");
    const loaded = () => pane.classList.add("loaded");
    if (full.complete && full.naturalWidth) loaded();
    full.addEventListener("load", loaded);
    const failed = () => { pane.querySelector(".trouble").hidden = false; };
    if (full.complete && !full.naturalWidth) failed();
    full.addEventListener("error", failed);
    pane.querySelector(".overlay")?.addEventListener("error", (event) => event.target.remove());
  }
  return view;
}

function startSwitch(id, name) {
  const box = byId(id);
  if (!box) return;
  box.checked = recall(id, "true") === "true";
  const apply = () => page.classList.toggle(name, !box.checked);
  box.addEventListener("change", () => { remember(id, box.checked); apply(); });
  apply();
}

function startOpacity() {
  const slider = byId("opacity");
  if (!slider) return;
  slider.value = recall("opacity", slider.value);
  const apply = () => { for (const map of document.querySelectorAll(".overlay")) map.style.opacity = slider.value / 100; };
  slider.addEventListener("input", () => { remember("opacity", slider.value); apply(); });
  apply();
}

function startForm() {
  const form = byId("label-form");
  if (!form) return;
  form.who.value = recall("who", "");
  form.go_on.checked = recall("go_on", "false") === "true";
  form.addEventListener("submit", () => { remember("who", form.who.value); remember("go_on", form.go_on.checked); });
}

function typing(target) {
  return target.matches("textarea, select, input:not([type=checkbox], [type=range])");
}

function startKeys(view) {
  const labels = { g: "good", d: "defect", u: "unsure" };
  const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.altKey || event.metaKey || typing(target)) return;
    const slides = target.matches("[type=range]") && key.startsWith("Arrow");
    if (slides) return;
    const press = (element) => { if (element) { event.preventDefault(); element.click(); } };
    if (view && event.shiftKey && steps[key]) { event.preventDefault(); view.move(...steps[key]); }
    else if (key === "ArrowLeft") press(byId("before"));
    else if (key === "ArrowRight") press(byId("after"));
    else if (view && (key === "+" || key === "=")) view.zoom(1.5);
    else if (view && key === "-") view.zoom(1 / 1.5);
    else if (view && key === "0") view.fit();
    else if (key === "m") page.classList.toggle("no-map");
    else if (view && "123".includes(key)) view.show(Number(key) - 1);
    else if (labels[key]) press(document.querySelector(`button[name=label][value=${labels[key]}]`));
  });
}

startOpacity();
startSwitch("circles", "no-circles");
startSwitch("beside", "alone");
startForm();
const view = page.dataset.width ? startView() : null;
startKeys(view);
const named = /^#spot-([123])$/.exec(location.hash);
if (view && named) view.show(Number(named[1]) - 1);

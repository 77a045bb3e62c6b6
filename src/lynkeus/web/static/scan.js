// The page of a scan: scores over position, and arrow keys along the images.
import { axis, colour, draw, plain, say } from "./plots.js";

const page = document.getElementById("scan");
const links = [...document.querySelectorAll(".strip a")];
const linkOf = (number) => document.getElementById(`image-${number}`);

function trace(points, wanted, style) {
  const index = points.number.map((_, k) => k).filter((k) => points.rare[k] === wanted);
  const pick = (values) => index.map((k) => values[k]);
  return {
    x: pick(points.place), y: pick(points.anomaly), type: "scatter", mode: "markers", customdata: pick(points.number), ...style,
    text: index.map((k) => `${plain(linkOf(points.number[k])?.title ?? "")}<br>p ${points.p_value[k]?.toPrecision(3) ?? "not known"}`),
    hovertemplate: "%{text}<br>score %{y:.3g}<extra></extra>",
  };
}

// A browser needs a second to take plotly in for the first time: images and links come before it.
async function loadPlotly() {
  if (document.readyState !== "complete") await new Promise((go) => addEventListener("load", go, { once: true }));
  await new Promise((go) => (window.requestIdleCallback ?? setTimeout)(go));
  const script = document.createElement("script");
  script.src = page.dataset.plotly;
  document.head.append(script);
  await new Promise((go, fail) => { script.onload = go; script.onerror = fail; });
}

async function drawScores(element) {
  const answer = await fetch(`/inspect/scans/${page.dataset.number}/points${location.search}`);
  if (!answer.ok) return say(element, "The scores could not be read.");
  const points = await answer.json();
  await loadPlotly();
  const label = points.has_angle ? "angle along the equator (deg)" : "image number";
  const ticks = points.ticks.length
    ? { tickvals: points.ticks.map(([at]) => at), ticktext: points.ticks.map(([, text]) => plain(text)), ticklabelposition: "outside right" }
    : {};
  await draw(element, () => [
    [
      trace(points, false, { marker: { size: 5, color: colour("reference") } }),
      trace(points, true, { marker: { size: 9, color: colour("alarm"), symbol: "diamond" } }),
    ],
    { xaxis: axis(points.ticks.length ? "" : label, ticks), yaxis: axis("anomaly score"), margin: { l: 56, r: 12, t: 8, b: points.ticks.length ? 28 : 44 }, showlegend: false },
  ]);
  element.on("plotly_click", ({ points: [point] }) => linkOf(point.customdata)?.click());
}

function stepAlong(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select")) return;
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? 0 : at + step];
  if (!next) return;
  event.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest", inline: "center" });
}

addEventListener("keydown", stepAlong);
// A picture that cannot be decoded says so in its place.
addEventListener("error", ({ target }) => target.closest?.(".strip a")?.classList.add("broken"), true);
document.querySelector("form.filters").addEventListener("change", (event) => event.currentTarget.requestSubmit());
const named = /^#image-\d+$/.test(location.hash) && document.querySelector(location.hash);
if (named) {
  named.focus({ preventScroll: true });
  named.scrollIntoView({ block: "center", inline: "center" });
}
const plot = document.getElementById("score-plot");
if (plot) await drawScores(plot);

// The trend page: one plot per output, drawn again as windows come in, and the turn-on curves.
import { axis, colour, draw, getJson, plain, say } from "./plots.js";
import { drawScore } from "./score.js";

const PALETTE = ["accent", "alarm", "line-2", "unsure", "good", "reference"];
const DASHES = ["solid", "dash", "dot"];
const drawnUpTo = new Map(); // element -> end of the last window drawn

async function refresh(element) {
  const { monitor, output, budget, spanH } = element.dataset;
  const found = (await getJson("/api/v1/monitors")).find((one) => one.name === monitor);
  if (!found?.last_end_ns || drawnUpTo.get(element) === found.last_end_ns) return;
  const from = spanH ? Math.round(found.last_end_ns - Number(spanH) * 3.6e12) : "";
  const points = await getJson("/api/v1/points", { monitor, output, start_ns: from });
  const alarms = await getJson("/api/v1/alarms", { monitor, output, limit: 500 });
  drawnUpTo.set(element, found.last_end_ns);
  const shown = alarms.filter((alarm) => !from || (alarm.end_ns ?? Infinity) > from);
  await drawScore(element, points, shown, Number(budget));
}

function curveTraces(curve, number) {
  const shade = colour(PALETTE[number % PALETTE.length]);
  const common = { x: curve.size, legendgroup: curve.fault, hoverinfo: "skip" };
  const edge = { ...common, mode: "lines", line: { width: 0 }, showlegend: false };
  return [
    { ...edge, y: curve.low },
    { ...edge, y: curve.high, fill: "tonexty", fillcolor: `${shade}2e` },
    {
      ...common, y: curve.efficiency, name: plain(curve.fault), mode: "lines+markers", marker: { size: 6, color: shade },
      line: { color: shade, width: 2, dash: DASHES[Math.floor(number / PALETTE.length) % DASHES.length] },
      hoverinfo: "all", customdata: curve.right_place,
      hovertemplate: "%{fullData.name}, size %{x:.3g}<br>found %{y:.0%}, right place %{customdata:.0%}<extra></extra>",
    },
  ];
}

async function drawTurnOn(box) {
  const { curves, message } = await getJson("/api/v1/turn-on");
  if (!curves.length) return say(box, message);
  for (const output of new Set(curves.map((curve) => curve.output))) {
    const title = document.createElement("h3");
    title.textContent = output;
    const element = document.createElement("div");
    element.className = "plot turn-on";
    box.append(title, element);
    const own = curves.filter((curve) => curve.output === output);
    await draw(element, () => [
      own.flatMap(curveTraces),
      { xaxis: axis("size of the planted fault"), yaxis: axis("share found", { range: [-0.02, 1.05], tickformat: ".0%" }) },
    ]);
  }
}

const plots = [...document.querySelectorAll(".plot.trend")];
await Promise.all([...plots.map(refresh), drawTurnOn(document.getElementById("turn-on"))]);
setInterval(() => { if (!document.hidden) plots.forEach((plot) => refresh(plot).catch(() => {})); }, 5000);

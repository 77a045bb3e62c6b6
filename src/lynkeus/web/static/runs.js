// The list of runs: says what is under the pointer in the strips of colours, and opens it; filters act at once.
const trend = document.getElementById("trend");
const below = document.getElementById("under-pointer");
const filters = document.getElementById("filters");
const runs = JSON.parse(trend?.dataset.runs ?? "[]");
const quiet = below?.textContent;

const part = (length, share) => Math.min(length - 1, Math.max(0, Math.floor(share * length)));

function under(event) {
  const picture = event.target.closest("img.colours");
  if (!picture || !runs.length) return null;
  const box = picture.getBoundingClientRect();
  const plots = JSON.parse(picture.dataset.plots);
  const run = runs[part(runs.length, (event.clientX - box.left) / box.width)];
  return { run, plot: plots.length ? plots[part(plots.length, (event.clientY - box.top) / box.height)] : null };
}

trend?.addEventListener("pointermove", (event) => {
  const found = under(event);
  below.textContent = found ? [found.plot, found.run].filter(Boolean).join(" in ") : quiet;
});
trend?.addEventListener("pointerleave", () => { below.textContent = quiet; });
trend?.addEventListener("click", (event) => {
  const found = under(event);
  if (!found) return;
  const query = { model: trend.dataset.model, run: found.run };
  if (found.plot) location.href = `/runs/plot?${new URLSearchParams({ name: found.plot, ...query })}`;
  else location.href = `/runs/named?${new URLSearchParams(query)}`;
});
filters?.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") filters.requestSubmit(); });

// The desk: a click decides. A row leaves when the store has the decision, and stays with what went wrong otherwise.
const rows = document.getElementById("rows");
const who = document.getElementById("who");
const said = document.getElementById("said");
const more = document.getElementById("more");
const total = document.getElementById("total");
const filters = document.getElementById("filters");
const all = document.getElementById("all");
const FEW = 30; // rows from which on more are fetched by itself
const KEY = "lynkeus name";
let fetching = false;
let left = Number(total?.textContent.replace(/\D/g, "") ?? 0);

function tell(text, wrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", wrong);
}

async function fetchMore() {
  if (fetching || !rows) return;
  fetching = true;
  // What is on its way to the store may still be open there: rows that are here already are not shown twice.
  const query = new URLSearchParams(filters.dataset.query);
  query.set("start", rows.querySelectorAll("tr:not(.sent)").length);
  try {
    const answer = await fetch(`/advice/rows?${query}`);
    if (!answer.ok) throw new Error(answer.statusText);
    const part = document.createElement("template");
    part.innerHTML = await answer.text();
    const here = new Set([...rows.children].map((row) => row.dataset.task));
    for (const row of [...part.content.querySelectorAll("tr")]) if (!here.has(row.dataset.task)) rows.append(row);
    more.hidden = rows.children.length >= left;
  } catch (error) {
    tell(`More could not be fetched: ${error.message}`, true);
  } finally {
    fetching = false;
  }
}

async function decide(chosen) {
  const name = who.value.trim();
  if (!name) {
    tell("Say who you are first: the decision is kept with a name.", true);
    who.focus();
    return;
  }
  try { localStorage.setItem(KEY, name); } catch { /* storage is switched off in this browser */ }
  if (!chosen.length) { tell("No task is marked.", true); return; }
  for (const [row] of chosen) row.classList.add("sent");
  const body = JSON.stringify(chosen.map(([row, action]) => ({ task: row.dataset.task, action, who: name })));
  try {
    const answer = await fetch("/api/decisions", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (answer.status === 401) { location.href = `/login?back=${encodeURIComponent(location.pathname + location.search)}`; return; }
    const text = await answer.text();
    if (!answer.ok) throw new Error(text.slice(0, 300));
    for (const [row] of chosen) row.remove();
    left = Math.max(0, left - chosen.length);
    total.textContent = left.toLocaleString("en").replaceAll(",", "\u202f");
    const [row, action] = chosen[0];
    const what = action ? action : "postponed";
    tell(chosen.length === 1 ? `${row.dataset.task}: ${what}, kept` : `${chosen.length} decisions kept`);
    all.checked = false;
    if (rows.children.length < FEW && rows.children.length < left) await fetchMore();
  } catch (error) {
    for (const [row] of chosen) row.classList.remove("sent");
    tell(`Not kept: ${error.message}`, true);
  }
}

function marked() {
  return [...(rows?.querySelectorAll("tr:not(.sent)") ?? [])].filter((row) => row.querySelector(".mark input").checked);
}

rows?.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) decide([[button.closest("tr"), button.dataset.action]]);
});
rows?.addEventListener("change", (event) => {
  if (event.target.tagName === "SELECT" && event.target.value) decide([[event.target.closest("tr"), event.target.value]]);
});
document.querySelector(".bulk")?.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-bulk]");
  if (!button) return;
  decide(marked().map((row) => [row, button.dataset.bulk === "accept" ? row.dataset.advised : button.dataset.action]));
});
all?.addEventListener("change", () => {
  for (const row of rows?.children ?? []) row.querySelector(".mark input").checked = all.checked;
});
more?.addEventListener("click", fetchMore);
filters?.addEventListener("change", (event) => { if (event.target.tagName === "SELECT") filters.requestSubmit(); });

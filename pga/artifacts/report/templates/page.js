"use strict";
// Tables sort by a click or a key on a column's title; absent values stay last, and equal ones keep their order.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const numeric = head.classList.contains("number");
    const key = (row) => row.cells[column].dataset.key ?? row.cells[column].textContent;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return (numeric ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true })) * (down ? -1 : 1);
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(order));
    heads.filter((other) => other.hasAttribute("aria-sort")).forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }));
}
// A figure's PNG is in the page already: its link offers that, so that it works wherever the page is.
for (const link of document.querySelectorAll("#figures a[download$='.png']")) {
  link.href = link.closest("figure").querySelector("img").src;
}
// Commands can be copied where the browser lets a page do so.
for (const button of navigator.clipboard ? document.querySelectorAll("button.copy") : []) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    button.textContent = "Copied";
  });
}
// The table of runs is filtered by words, and draws the curves of ticked runs together; a run's details show when its name is followed.
document.documentElement.classList.add("js");
for (const part of document.querySelectorAll(".script")) part.hidden = false;
const nameOf = (row) => `${row.cells[1].textContent} on ${row.cells[2].textContent}, seed ${row.cells[3].textContent}`;
const wordsOf = (row) => `${nameOf(row)} ${row.cells[1].firstChild.hash}`.toLowerCase();
const rows = [...document.querySelectorAll("#overview tbody tr")];
document.getElementById("filter")?.addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of rows) row.hidden = !words.every((word) => wordsOf(row).includes(word));
  document.getElementById("matches").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} runs`;
});
const COLOURS = ["#3b82c4", "#d2601a", "#2e9467", "#b44fb8", "#8a7200", "#6f7d88"]; // readable on light and dark
const overlay = () => {
  const drawn = rows.filter((row) => row.querySelector("input").checked);
  const curves = drawn.map((row) => JSON.parse(row.dataset.points)).filter((points) => points.length);
  const figure = document.getElementById("overlay");
  figure.hidden = curves.length === 0;
  if (figure.hidden) return;
  const [steps, values] = [0, 1].map((k) => curves.flat().map((point) => point[k]));
  const [last, low, high] = [Math.max(...steps), Math.min(...values), Math.max(...values)];
  const x = (step) => 60 + 570 * step / (last || 1);
  const y = (value) => 230 - 215 * (value - low) / (high - low || 1);
  const line = (points, k) => `<polyline style="stroke:${COLOURS[k % COLOURS.length]}" stroke-dasharray="${k < COLOURS.length ? "" : "4 2"}" points="${points.map(([s, v]) => `${x(s)},${y(v)}`).join(" ")}"/>`;
  figure.querySelector("svg").innerHTML = `<path d="M60 15V230H630"/><text x="55" y="20" text-anchor="end">${high.toPrecision(3)}</text>
    <text x="55" y="230" text-anchor="end">${low.toPrecision(3)}</text><text x="630" y="250" text-anchor="end">${last} steps</text>${curves.map(line).join("")}`;
  figure.querySelector("ul").replaceChildren(...drawn.map((row, k) => {
    const item = document.createElement("li"), dash = document.createElement("span");
    dash.style.borderColor = COLOURS[k % COLOURS.length];
    item.append(dash, nameOf(row));
    return item;
  }));
};
for (const row of rows) row.querySelector("input").addEventListener("change", overlay);
// A link to something within a folded part unfolds it.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();

"use strict";
// Tables sort by a click or a key on a column's title; absent values stay last, and equal ones keep their order.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
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
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
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
// A link to something within a folded part unfolds it.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
};
addEventListener("hashchange", unfold);
unfold();
// On paper nothing can be unfolded: everything is, but for the runs, which are many.
const folded = () => document.querySelectorAll("details:not([open]):not(.run)");
addEventListener("beforeprint", () => folded().forEach((part) => { part.open = true; part.dataset.forPrint = ""; }));
addEventListener("afterprint", () => document.querySelectorAll("[data-for-print]").forEach((part) => {
  part.open = false;
  delete part.dataset.forPrint;
}));

// Spans: rows of the list of traces that open in place; the tree that folds, and is walked by arrow keys as trees are; the
// selected span; the width of the names.
const rows = (list) => [...list.querySelectorAll("[data-level]")];
const folded = (row) => row.querySelector("[data-fold]")?.getAttribute("aria-expanded") === "false";

// Hide what lies below folded rows: the list is flat, and a row belongs to all above it with a lower level.
function settle(list) {
  let under = Infinity;
  for (const row of rows(list)) {
    const level = Number(row.dataset.level);
    if (level <= under) under = Infinity;
    row.hidden = level > under;
    if (under === Infinity && folded(row)) under = level;
  }
}

function foldAll(list, open) {
  for (const button of list.querySelectorAll("[data-fold]")) button.setAttribute("aria-expanded", String(open));
  settle(list);
}

const rowOf = (id) => id && document.querySelector(`[data-span="${CSS.escape(id)}"]`);
const spanIn = (address) => new URL(address, location.href).searchParams.get("span");

// Mark the row of the span in the address, unfolded and in sight.
function select(address) {
  document.querySelector("[data-spans] [aria-current]")?.removeAttribute("aria-current");
  const row = rowOf(spanIn(address));
  if (!row) return;
  row.querySelector("[data-span-link]").setAttribute("aria-current", "true");
  if (row.hidden) foldAll(row.closest("[data-spans]"), true);
  row.scrollIntoView({ block: "nearest" });
}

// On narrow screens what is kept of a span stands below the tree: out of sight, it comes into sight.
function showDetail() {
  const detail = document.querySelector("[data-span-detail]");
  if (detail.getBoundingClientRect().top > innerHeight * 0.8) detail.scrollIntoView({ block: "start" });
}

const level = (row) => Number(row.dataset.level);

// Where an arrow leads from a row of the tree: to another row, or none, having folded or unfolded this one.
function neighbour(list, row, key) {
  const all = rows(list);
  const seen = all.filter((each) => !each.hidden);
  const at = seen.indexOf(row);
  const button = row.querySelector("[data-fold]");
  if (key === "ArrowDown") return seen[at + 1];
  if (key === "ArrowUp") return seen[at - 1];
  if (key === "Home") return seen[0];
  if (key === "End") return seen.at(-1);
  if (key === "ArrowRight") {
    if (button && !folded(row)) return seen[at + 1];
    button?.click();
    return null;
  }
  if (button && !folded(row)) {
    button.click();
    return null;
  }
  return all.slice(0, all.indexOf(row)).findLast((each) => level(each) < level(row));
}

document.addEventListener("keydown", (event) => {
  const list = event.target.closest?.("[data-trace] [data-spans]");
  const row = event.target.closest?.("[data-level]");
  if (!list || !row || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (!["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
  event.preventDefault();
  const next = neighbour(list, row, event.key);
  if (next === undefined) list.querySelector(".span--more")?.scrollIntoView({ block: "nearest" }); // fetches more rows
  next?.querySelector("[data-span-link]").focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
});

document.addEventListener("click", (event) => {
  const toggle = event.target.closest("[data-expand]");
  if (toggle && !event.ctrlKey && !event.metaKey) {
    const open = toggle.getAttribute("aria-expanded") !== "true";
    toggle.setAttribute("aria-expanded", String(open));
    document.getElementById(toggle.getAttribute("aria-controls")).hidden = !open;
    return;
  }
  const fold = event.target.closest("[data-fold]");
  if (fold) {
    fold.setAttribute("aria-expanded", String(fold.getAttribute("aria-expanded") === "false"));
    settle(fold.closest("[data-spans]"));
  }
  const all = event.target.closest("[data-fold-all], [data-unfold-all]");
  if (all) foldAll(document.querySelector("[data-trace] [data-spans]"), all.matches("[data-unfold-all]"));
});

// A role of button means the space bar too.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches?.("[data-expand]")) return;
  event.preventDefault();
  event.target.click();
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-split]")) {
    document.querySelector("[data-trace]").style.setProperty("--names", `${event.target.value}%`);
  }
});

// A failed span whose row is not loaded yet: its own page shows the rows around it.
document.addEventListener("htmx:beforeRequest", (event) => {
  const link = event.target.closest?.("[data-span-link]");
  if (!link || !spanIn(link.href) || rowOf(spanIn(link.href))) return;
  event.preventDefault();
  location.assign(link.href);
});

document.addEventListener("htmx:afterSettle", (event) => {
  const list = document.querySelector("[data-trace] [data-spans]");
  if (!list) return;
  if (event.detail.target?.matches?.("[data-span-detail]") || event.target.matches?.("[data-span-detail]")) {
    select(location.href);
    showDetail();
  } else settle(list);
});

// A link to a span leads to its row.
rowOf(spanIn(location.href))?.scrollIntoView({ block: "nearest" });

// The acts of a JSON tree: copy the path of a row, or its value. data-tree="#raw" names the JSON the tree was made of.
const plainKey = /^[A-Za-z_$][\w$]*$/;

// The keys from the root to a row; a row of a list has no key, so its place among its brothers is its index.
function keysOf(row) {
  const keys = [];
  for (let at = row; at; at = at.parentElement.closest(".tree__branch")) {
    const key = at.querySelector(":scope > .tree__key, :scope > summary > .tree__key");
    keys.unshift(key ? key.dataset.key : [...at.parentElement.children].indexOf(at));
  }
  return keys;
}

const step = (key) => (typeof key === "number" ? `[${key}]` : plainKey.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`);
const pathOf = (keys) => keys.map(step).join("").replace(/^\./, "");

// The value itself, for the tree shortens long texts; where the JSON on the page is cut, the row's own words.
function valueOf(row, keys) {
  try {
    const raw = document.querySelector(row.closest("[data-tree]").dataset.tree).textContent;
    const value = keys.reduce((inside, key) => inside[key], JSON.parse(raw));
    if (typeof value === "string") return value;
    if (typeof value === "object" && value) return JSON.stringify(value, null, 2);
  } catch {
    // Below.
  }
  return row.querySelector(":scope > .tree__value")?.textContent ?? "";
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-tree-copy]");
  if (!button) return;
  event.preventDefault(); // the row of a branch would fold
  const row = button.closest(".tree__leaf, .tree__branch");
  const keys = keysOf(row);
  const text = button.dataset.treeCopy === "path" ? pathOf(keys) : valueOf(row, keys);
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = words), 1500);
});

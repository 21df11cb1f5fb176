// Filters change a page of a section without loading it anew: its links to other pages, its download and its saved
// view follow the address as it is when they are used.
const KEPT = ["project", "hours", "from", "to", "environment", "model", "provider"];

document.addEventListener("click", (event) => {
  const here = new URLSearchParams(location.search);
  const page = event.target.closest?.("[data-section-pages] a");
  if (page) {
    const address = new URL(page.href);
    for (const name of KEPT) {
      const value = here.get(name);
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
    }
    page.href = address;
  }
  const download = event.target.closest?.("a[data-csv]");
  if (download) {
    here.set("format", "csv");
    download.href = `?${here}`;
  }
});

// Before htmx gathers the form.
document.addEventListener(
  "submit",
  (event) => {
    for (const input of event.target.querySelectorAll("[data-query-of-page]")) input.value = location.search;
  },
  true,
);

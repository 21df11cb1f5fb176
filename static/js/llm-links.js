// Filters change a page of the section LLM without loading it anew: its links to other pages, its download and its saved
// view follow the address as it is when they are used.
const KEPT = ["project", "hours", "from", "to", "model", "provider"];

document.addEventListener("click", (event) => {
  const here = new URLSearchParams(location.search);
  const page = event.target.closest?.("[data-llm-pages] a");
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

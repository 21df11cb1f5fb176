// A field with data-slug follows the one with data-slug-from, as small letters, digits and hyphens, until somebody
// writes into it. The server decides what is taken.
const LENGTH = 64;

function slugOf(name) {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, LENGTH)
    .replace(/^-+|-+$/g, "");
}

document.addEventListener("input", (event) => {
  const form = event.target.form;
  const slug = form?.querySelector("[data-slug]");
  if (!slug) return;
  if (event.target === slug) slug.dataset.slug = slug.value === "" ? "" : "own";
  else if (event.target.hasAttribute("data-slug-from") && slug.dataset.slug !== "own") {
    slug.value = slugOf(event.target.value);
  }
});

// What came back from the server was written, or would have been suggested anyway.
for (const slug of document.querySelectorAll("[data-slug]")) {
  const from = slug.form?.querySelector("[data-slug-from]");
  if (slug.value && slug.value !== slugOf(from?.value ?? "")) slug.dataset.slug = "own";
}

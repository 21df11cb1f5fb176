// A row of links that is too long for a phone starts where the current one can be seen.
for (const tabs of document.querySelectorAll("[data-tabs]")) {
  const current = tabs.querySelector("[aria-current]");
  if (current) tabs.scrollLeft = current.offsetLeft - (tabs.clientWidth - current.offsetWidth) / 2 - tabs.offsetLeft;
}

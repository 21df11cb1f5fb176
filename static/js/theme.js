// The theme: auto, light or dark, kept on this device. A classic script in <head>, not a module: it must run before
// the first paint. Everything else waits for a click.
(() => {
  const KEY = "bloop-theme";
  const ORDER = ["auto", "light", "dark"];
  const WORDS = { auto: "as the system", light: "light", dark: "dark" };
  const root = document.documentElement;

  const read = () => {
    try {
      const kept = localStorage.getItem(KEY);
      return ORDER.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // storage may be forbidden
    }
  };

  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.title = `Theme: ${WORDS[theme]}`;
      button.querySelector("[data-theme-name]").textContent = WORDS[theme];
    }
    document.dispatchEvent(new CustomEvent("bloop:theme"));
  };

  root.dataset.js = "";
  apply(read());
  document.addEventListener("DOMContentLoaded", () => apply(read()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(read()));
  addEventListener("storage", (event) => event.key === KEY && apply(read()));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const next = ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // shown, but not kept
    }
    apply(next);
  });
})();

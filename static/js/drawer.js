// The sidebar as a drawer on narrow screens. Its links work by :target without this; here it keeps the focus inside
// while open, closes on Escape, and gives the focus back.
const drawer = document.querySelector("[data-drawer]");
const behind = document.querySelector("[data-behind-drawer]");
const opener = document.querySelector("[data-drawer-open]");

const isOpen = () => drawer.hasAttribute("data-open");

function set(open) {
  drawer.toggleAttribute("data-open", open);
  behind.inert = open;
  opener.setAttribute("aria-expanded", String(open));
  (open ? drawer.querySelector("[data-drawer-close]") : opener).focus();
}

if (drawer && behind && opener) {
  opener.setAttribute("role", "button");
  opener.setAttribute("aria-expanded", "false");
  opener.setAttribute("aria-controls", drawer.id);
  document.addEventListener("click", (event) => {
    const open = event.target.closest("[data-drawer-open]");
    if (!open && !event.target.closest("[data-drawer-close]")) return;
    event.preventDefault();
    set(Boolean(open));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen()) set(false);
    else if (event.key === " " && event.target === opener) {
      event.preventDefault();
      set(true);
    }
  });
  matchMedia("(width >= 720px)").addEventListener("change", (query) => {
    if (query.matches && isOpen()) set(false);
  });
}

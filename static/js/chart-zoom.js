// Chooses hours on a chart, by a drag or by keys, and leads to the address that shows them: ?from=&to=, in milliseconds.
// data-chart-zoom="<start of the first slot> <length of a slot> <slots>". Arrow keys read slot by slot, with Shift they
// choose, Enter shows what is chosen, Escape lets go. A finger that moves up or down scrolls the page as ever.
const HOUR = 3_600_000;
const MOST = 720 * HOUR; // what an address can ask for
const LEAST_PIXELS = 8; // less is a click
const KEPT = "bloop-zoom";
const HOW = "Arrow keys read it step by step; with Shift they choose hours, Enter shows those, Escape lets go.";
const moment = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

function slotsOf(figure) {
  const [from, step, count] = figure.dataset.chartZoom.split(" ").map(Number);
  return { from, step, count };
}

// The hours from one slot to another, in either order.
function hoursOf({ from, step }, one, other) {
  const end = from + (Math.max(one, other) + 1) * step;
  return { start: Math.max(from + Math.min(one, other) * step, end - MOST), end };
}

function words({ start, end }) {
  const sameDay = new Date(start).toDateString() === new Date(end).toDateString();
  const hours = (end - start) / HOUR;
  return `${moment.format(start)} to ${(sameDay ? clock : moment).format(end)}, ${hours} hour${hours === 1 ? "" : "s"}`;
}

// The page comes anew: it stands where it stood, and the keys go on where they were.
function show(figure, { start, end }, withKeys) {
  const address = new URL(location.href);
  address.searchParams.delete("page");
  address.searchParams.set("from", start);
  address.searchParams.set("to", end);
  try {
    const chart = withKeys ? figure.getAttribute("aria-labelledby") : null;
    sessionStorage.setItem(KEPT, JSON.stringify({ path: location.pathname, y: scrollY, chart }));
  } catch {
    // storage may be forbidden: the page begins at its head
  }
  location.assign(address);
}

function standWhereItStood() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    sessionStorage.removeItem(KEPT);
    if (kept?.path !== location.pathname) return;
    scrollTo(0, kept.y);
    if (!kept.chart) return;
    const figure = document.querySelector(`[data-chart-zoom][aria-labelledby="${CSS.escape(kept.chart)}"]`);
    figure?.querySelector("[data-chart-plot]")?.focus({ preventScroll: true });
  } catch {
    // as above
  }
}

// The band over what is chosen, with its hours in words; laid into the chart anew, for charts are drawn again.
function bandOf(box) {
  const band = document.createElement("div");
  const told = document.createElement("span");
  band.className = "zoom-band";
  told.className = "zoom-words";
  return {
    lay(surface, slots, one, other) {
      const [left, right] = [Math.min(one, other) / slots.count, (Math.max(one, other) + 1) / slots.count];
      const middle = (left + right) / 2;
      band.style.left = `${left * 100}%`;
      band.style.width = `${(right - left) * 100}%`;
      told.textContent = words(hoursOf(slots, one, other));
      told.style.left = middle < 0.5 ? `${left * 100}%` : "auto";
      told.style.right = middle < 0.5 ? "auto" : `${(1 - right) * 100}%`;
      surface.append(band, told);
      box.closest("[data-chart-zoom]").dataset.choosing = "yes";
    },
    lift() {
      band.remove();
      told.remove();
      delete box.closest("[data-chart-zoom]").dataset.choosing;
    },
    get isLaid() {
      return band.isConnected && box.contains(band);
    },
  };
}

function attach(figure) {
  const box = figure.querySelector("[data-chart-plot]");
  if (!box || figure.dataset.zooms) return;
  figure.dataset.zooms = "yes";
  const slots = slotsOf(figure);
  const band = bandOf(box);
  const surface = () => box.querySelector(".u-over") ?? box;
  let at = null; // the slot the keys stand on
  let anchor = null; // where the choice began

  box.tabIndex = 0;
  box.setAttribute("aria-label", box.querySelector("svg")?.getAttribute("aria-label") ?? box.getAttribute("aria-label") ?? "");
  box.setAttribute("role", "slider");
  box.setAttribute("aria-description", HOW);
  box.setAttribute("aria-valuemin", 0);
  box.setAttribute("aria-valuemax", slots.count - 1);
  box.setAttribute("aria-valuenow", slots.count - 1);
  box.setAttribute("aria-valuetext", words(hoursOf(slots, 0, slots.count - 1)));

  // The chart moves its crosshair there and, if it can read, says in words what it finds.
  const point = (index) => {
    const detail = { index, words: "" };
    figure.dispatchEvent(new CustomEvent("bloop:chart-at", { detail }));
    return detail.words;
  };

  const letGo = () => {
    anchor = null;
    band.lift();
  };

  const slotUnder = (event) => {
    const { left, width } = surface().getBoundingClientRect();
    return Math.min(Math.max(Math.floor(((event.clientX - left) / width) * slots.count), 0), slots.count - 1);
  };

  box.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary || !surface().contains(event.target)) return;
    const ends = new AbortController();
    const listen = (name, heard) => document.addEventListener(name, heard, { signal: ends.signal, capture: true });
    const from = event.clientX;
    const began = slotUnder(event);
    let chosen = null;
    letGo();
    const stop = () => {
      ends.abort();
      band.lift();
    };
    listen("pointermove", (moved) => {
      if (chosen === null && Math.abs(moved.clientX - from) < LEAST_PIXELS) return;
      chosen = slotUnder(moved);
      band.lay(surface(), slots, began, chosen);
    });
    listen("pointerup", () => {
      stop();
      if (chosen !== null) show(figure, hoursOf(slots, began, chosen), false);
    });
    listen("pointercancel", stop);
    listen("keydown", (pressed) => {
      if (pressed.key !== "Escape") return;
      pressed.preventDefault();
      pressed.stopPropagation();
      stop();
    });
  });

  box.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = at ?? slots.count;
    const steps = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: slots.count - 1 };
    if (event.key in steps) {
      const to = Math.min(Math.max(steps[event.key], 0), slots.count - 1);
      if (event.shiftKey) anchor ??= Math.min(here, slots.count - 1);
      else letGo();
      at = to;
      const read = point(at);
      if (anchor !== null) band.lay(surface(), slots, anchor, at);
      box.setAttribute("aria-valuenow", at);
      const hours = words(hoursOf(slots, anchor ?? at, at));
      box.setAttribute("aria-valuetext", anchor === null && read ? read : hours);
    } else if (event.key === "Enter" && at !== null) {
      show(figure, hoursOf(slots, anchor ?? at, at), true);
    } else if (event.key === "Escape" && band.isLaid) {
      letGo();
    } else return;
    event.preventDefault();
  });

  box.addEventListener("blur", () => {
    letGo();
    if (at !== null) point(null);
    at = null;
  });
}

const attachAll = () => document.querySelectorAll("[data-chart-zoom]").forEach(attach);

attachAll();
standWhereItStood();
document.addEventListener("htmx:afterSettle", attachAll);

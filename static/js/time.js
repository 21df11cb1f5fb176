// Times in the reader's own zone: relative ones stay fresh, all carry the local time and zone on hover. The words are
// those of bloop_site/templatetags/ui.py.
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const AGES = [
  [HOUR, MINUTE, "min"],
  [DAY, HOUR, "h"],
  [60 * DAY, DAY, "d"],
  [730 * DAY, 30 * DAY, "mo"],
  [Infinity, 365 * DAY, "y"],
];
const local = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});

const localHour = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

function ageWords(age, round = Math.floor) {
  if (age < MINUTE) return null;
  const [, size, unit] = AGES.find(([limit]) => age < limit);
  return `${round(age / size)}\u00a0${unit}`;
}

function words(kind, at, now) {
  if (kind === "at") return local.format(at);
  if (kind === "hour") return localHour.format(at);
  if (kind === "left") return at > now ? `${ageWords(Math.max(at - now, MINUTE), Math.ceil)} left` : "ended";
  const age = ageWords(now - at);
  if (kind === "old") return age ? `${age} old` : "new";
  return age ? `${age} ago` : "just now";
}

function refresh(scope = document) {
  const now = Date.now();
  for (const time of scope.querySelectorAll("time[data-time]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = words(time.dataset.time, at, now);
    if (time.textContent !== text) time.textContent = text;
    time.title = local.format(at);
  }
}

refresh();
setInterval(() => document.hidden || refresh(), 30_000);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
document.addEventListener("htmx:afterSettle", () => refresh());

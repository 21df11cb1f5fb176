// Puts a uPlot chart in the place of the server's drawing: the same columns, with a crosshair that tells its hour,
// marks where releases appeared, and at most five labels an axis, in local time. Needs window.uPlot.
const HOUR = 3600;
const STEPS = [1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 168, 336, 720];
const hourName = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });
const dayName = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const clockName = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.NumberFormat("en-US");
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const charts = new Set();

// The browser resolves light-dark() and oklch(); a canvas wants the finished colour.
function colours(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    bar: read("chart-1"),
    grid: read("chart-grid"),
    mark: read("chart-mark"),
    label: read("text-quiet"),
    font: `12px ${getComputedStyle(element).fontFamily}`,
  };
  probe.remove();
  return found;
}

// Round hours by the reader's clock, as many as leave no more than `most` labels.
function timeSplits(from, to, most) {
  const start = new Date(from * 1000);
  start.setHours(0, 0, 0, 0);
  for (const step of STEPS) {
    const splits = [];
    for (let hour = 0; splits.length <= most; hour += step) {
      const at = new Date(start);
      at.setHours(hour); // by the clock on the wall, whatever summer time does
      const seconds = at.getTime() / 1000;
      if (seconds > to) break;
      if (seconds >= from) splits.push(seconds);
    }
    if (splits.length <= most) return splits;
  }
  return [from];
}

// 0 and at most four round numbers above it.
function countSplits(most) {
  const rough = Math.max(1, most / 4);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = Math.ceil([1, 2, 2.5, 5, 10].find((factor) => factor * size >= rough) * size);
  const splits = [];
  for (let value = 0; value <= most; value += step) splits.push(value);
  return splits;
}

const timeWords = (seconds) => {
  const at = new Date(seconds * 1000);
  return at.getHours() === 0 && at.getMinutes() === 0 ? dayName.format(at) : clockName.format(at);
};

// An hour as chart-tip.js tells it: when it was, its count, the releases that appeared in it.
function tipOf(data, index) {
  const from = data.hours[index];
  const to = from + HOUR * 1000;
  const count = data.counts[index];
  const releases = data.releases.filter((release) => release.at >= from && release.at < to);
  return {
    when: `${hourName.format(from)} to ${clockName.format(to)}`,
    rows: [
      { label: count === 1 ? "event" : "events", value: exact.format(count) },
      ...releases.map((release) => ({ label: "new release", value: release.label })),
    ],
  };
}

function readoutWords(data, index) {
  const { when, rows } = tipOf(data, index);
  const [count, ...releases] = rows;
  return [`${when}: ${count.value} ${count.label}`, ...releases.map((each) => `${each.label} ${each.value}`)].join(", ");
}

const show = (figure, detail) => figure.dispatchEvent(new CustomEvent("bloop:chart-tip", { detail, bubbles: true }));

function drawReleases(plot, data, tone) {
  const { ctx, bbox } = plot;
  const end = data.hours.at(-1) + HOUR * 1000;
  let free = -Infinity;
  ctx.save();
  ctx.strokeStyle = tone.mark;
  ctx.fillStyle = tone.label;
  ctx.lineWidth = devicePixelRatio;
  ctx.font = tone.font.replace("12px", `${11 * devicePixelRatio}px`);
  ctx.textBaseline = "top";
  ctx.textAlign = "left";
  for (const release of data.releases) {
    if (release.at < data.hours[0] || release.at >= end) continue;
    const x = Math.round(plot.valToPos(release.at / 1000, "x", true)) + 0.5;
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, 0);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const label = release.label.length > 14 ? `${release.label.slice(0, 13)}…` : release.label;
    const width = ctx.measureText(label).width;
    const gap = 6 * devicePixelRatio;
    const left = x + gap + width > bbox.left + bbox.width ? x - gap - width : x + gap;
    if (left < free + gap) continue; // labels that would touch are left to the readout
    ctx.fillText(label, left, 0);
    free = left + width;
  }
  ctx.restore();
}

function options({ figure, box, data }) {
  const tone = colours(figure);
  const from = data.hours[0] / 1000;
  const to = data.hours.at(-1) / 1000 + HOUR;
  const peak = Math.max(1, ...data.counts);
  const yLabels = countSplits(peak);
  const longest = Math.max(...yLabels.map((value) => short.format(value).length));
  const axis = { stroke: tone.label, font: tone.font, ticks: { show: false }, gap: 6 };
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    padding: [18, 0, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false, range: [from, to] }, y: { range: [0, peak * 1.02] } },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        // a label is centred on its hour: one too near the edge would be cut
        splits: (plot) =>
          timeSplits(from, to, plot.width < 400 ? 3 : 5).filter((at) => ((to - at) / (to - from)) * plot.width > 40),
        values: (plot, splits) => splits.map(timeWords),
      },
      {
        ...axis,
        size: longest * 8 + 10,
        grid: { stroke: tone.grid, width: 1 },
        splits: () => yLabels,
        values: (plot, splits) => splits.map((value) => short.format(value)),
      },
    ],
    series: [
      {},
      { fill: tone.bar, width: 0, points: { show: false }, paths: window.uPlot.paths.bars({ size: [0.75, 48, 1], align: 1 }) },
    ],
    hooks: {
      draw: [(plot) => drawReleases(plot, data, tone)],
      setCursor: [
        (plot) => {
          // The column under the pointer, not the nearest left edge.
          const at = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : null;
          const index = at === null ? -1 : Math.min(Math.floor((at - from) / HOUR), data.hours.length - 1);
          show(figure, index < 0 ? null : { left: plot.over.offsetLeft + plot.cursor.left, ...tipOf(data, index) });
        },
      ],
    },
  };
}

function draw(chart) {
  chart.plot?.destroy();
  chart.box.replaceChildren();
  show(chart.figure, null);
  const xs = chart.data.hours.map((ms) => ms / 1000);
  chart.plot = new window.uPlot(options(chart), [xs, chart.data.counts], chart.box);
}

function attach(figure) {
  const source = document.getElementById(figure.dataset.chart);
  const box = figure.querySelector("[data-chart-plot]");
  if (!source || !box || !window.uPlot || figure.dataset.drawn) return;
  const data = JSON.parse(source.textContent);
  if (!data.hours.length) return;
  figure.dataset.drawn = "yes";
  if (!box.hasAttribute("role")) box.setAttribute("role", "img");
  box.setAttribute("aria-label", box.querySelector("svg")?.getAttribute("aria-label") ?? "");
  const chart = { figure, box, data, plot: null };
  draw(chart);
  charts.add(chart);
  figure.addEventListener("bloop:chart-at", ({ detail }) => {
    const left = detail.index === null ? -10 : chart.plot.valToPos(data.hours[detail.index] / 1000 + HOUR / 2, "x");
    chart.plot.setCursor({ left, top: left < 0 ? -10 : 0 });
    if (detail.index !== null) detail.words = readoutWords(data, detail.index);
  });
  new ResizeObserver(() => {
    if (chart.plot && box.clientWidth !== chart.plot.width) {
      chart.plot.setSize({ width: box.clientWidth, height: box.clientHeight });
    }
  }).observe(box);
}

function attachAll() {
  for (const chart of charts) if (!chart.figure.isConnected) charts.delete(chart);
  document.querySelectorAll("[data-chart]").forEach(attach);
}

function redrawAll() {
  charts.forEach(draw);
}

attachAll();
document.addEventListener("htmx:afterSettle", attachAll);
document.addEventListener("bloop:theme", redrawAll);
document.fonts.load("12px 'Inter Variable'").then(redrawAll);

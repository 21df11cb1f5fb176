// Puts uPlot charts in the place of the server's drawings of several series: stacked bars or lines, over time or over steps
// that have words, with a crosshair that tells all series beside it, and at most five labels an axis. Needs window.uPlot.
const HOUR = 3600000;
const DAY = 24 * HOUR;
const hourName = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const dayName = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const utcDay = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
const STEPS = [1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 168, 336];
const clockName = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const tiny = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2, maximumFractionDigits: 20 });
const NARROW = 400;
const GREY = 8; // of the tones
const charts = new Set();
// Size in ms, unit, size of the lesser unit beside it, lesser unit.
const LONG = [
  [DAY, "d", HOUR, "h"],
  [HOUR, "h", 60000, "min"],
  [60000, "min", 1000, "s"],
];

const LONG_STEPS = [20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((seconds) => seconds * 1000);

// One unit each: the value as bloop_site/lib/figures.py tells it.
const UNITS = {
  count: (value) => (Math.abs(value) < 10000 ? exact.format(value) : compact.format(value)),
  money: (micros) => {
    const dollars = micros / 1e6;
    if (dollars === 0) return "$0";
    if (dollars < 0.0001) return "< $0.0001";
    if (dollars >= 1000) return `$${compact.format(dollars)}`;
    return `$${dollars.toFixed(dollars < 1 ? 4 : 2).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
  },
  duration: (ms) => {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 59950) return `${Number((ms / 1000).toFixed(1))} s`;
    const rounded = Math.round(ms / 1000) * 1000;
    const [size, unit, lesserSize, lesser] = LONG.find(([least]) => rounded >= least);
    const rest = Math.floor((rounded % size) / lesserSize);
    return `${exact.format(Math.floor(rounded / size))} ${unit}${rest ? ` ${rest} ${lesser}` : ""}`;
  },
};

// On an axis small money has all its digits: steps of it are to be told apart.
const axisUnit = (unit) => (unit === "money" ? (micros) => (0 < micros && micros < 1000 ? `$${tiny.format(micros / 1e6)}` : UNITS.money(micros)) : UNITS[unit]);

// The browser resolves light-dark() and oklch(); a canvas wants the finished colour.
function colourReader(element) {
  const probe = document.createElement("span");
  element.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  return { read, done: () => probe.remove() };
}

// 0 and at most four round numbers above it: of counts whole ones, of long durations minutes, hours or days.
function valueSplits(peak, unit) {
  const rough = peak / 4 || 1;
  const one = unit === "duration" && rough > DAY ? DAY : 1;
  const size = one * 10 ** Math.floor(Math.log10(rough / one));
  let step = [1, 2, 2.5, 5, 10].find((factor) => factor * size >= rough) * size;
  if (unit === "count") step = Math.ceil(step);
  if (unit === "duration" && rough > 10000) step = LONG_STEPS.find((each) => each >= rough) ?? step;
  const splits = [];
  for (let value = 0; value <= peak * 1.001; value += step) splits.push(value);
  return splits;
}

// A slot's start in hours by the clock on the reader's wall.
const wallHours = (ms) => ms / HOUR - new Date(ms).getTimezoneOffset() / 60;

// The first slot of a day is told by the day.
const timeWords = (ms, step) => (wallHours(ms) % 24 < step / HOUR ? dayName.format(ms) : clockName.format(ms));

function slotWords(data, index) {
  if (data.labels.length) return data.labels[index];
  const from = data.times[index];
  return data.step >= DAY ? `${utcDay.format(from)} (UTC)` : `${hourName.format(from)} to ${clockName.format(from + data.step)}`;
}

const something = (data, index) => data.series.filter((each) => each.values[index] > 0);

// All of a slot in one sentence, for the ear.
function readoutWords(data, index) {
  const tell = UNITS[data.unit];
  const told = something(data, index).map((each) => `${each.label} ${tell(each.values[index])}`);
  return `${slotWords(data, index)}: ${told.length ? told.join(", ") : "nothing"}`;
}

// The same for the eye, row by row.
function tipRows(data, index) {
  const tell = UNITS[data.unit];
  return something(data, index).map((each) => ({ tone: each.tone, label: each.label, value: tell(each.values[index]) }));
}

const show = (figure, detail) => figure.dispatchEvent(new CustomEvent("bloop:chart-tip", { detail, bubbles: true }));

// What is painted in one colour each: outside the focus, bars are grey.
function painted(data) {
  if (!data.focus) return data.series;
  const [{ tone, values }] = data.series;
  const [first, end] = data.focus;
  const inside = (index) => first <= index && index < end;
  return [
    { tone: GREY, values: values.map((value, index) => (inside(index) ? 0 : value)) },
    { tone, values: values.map((value, index) => (inside(index) ? value : 0)) },
  ];
}

// Bars stand on the sum of those before them: drawn from the tallest to the lowest, each covers the foot of the last.
function heights(data) {
  if (data.kind !== "bars") return data.series.map((each) => each.values);
  const foot = data.series[0].values.map(() => 0);
  return painted(data).map((each) => each.values.map((value, index) => (foot[index] += value))).reverse();
}

// Labels of x, as many as there is room for: slots that begin a round stretch of hours, or every nth that has words.
function xSplits(data, count, width) {
  const most = width < NARROW ? 3 : 5;
  const slots = [...Array(count).keys()];
  const begins = (index, hours) => {
    const at = wallHours(data.times[index]);
    return Math.floor(at / hours) !== Math.floor((at - data.step / HOUR) / hours);
  };
  const every = Math.max(1, Math.ceil(count / most));
  const choices = data.labels.length ? [] : STEPS.map((hours) => slots.filter((index) => begins(index, hours)));
  const splits = choices.find((found) => found.length && found.length <= most) ?? slots.filter((index) => index % every === 0);
  return splits.filter((index) => ((count - index) / count) * width > 40);
}

function options(chart) {
  const { figure, box, data } = chart;
  const count = data.series[0].values.length;
  const tell = axisUnit(data.unit);
  const { read, done } = colourReader(figure);
  const label = read("text-quiet");
  const grid = read("chart-grid");
  const drawn = data.kind === "bars" ? [...painted(data)].reverse() : data.series;
  const series = drawn.map((each) => {
    const tone = read(`chart-${each.tone}`);
    if (data.kind === "lines") return { stroke: tone, width: 2, points: { show: false } };
    return { fill: tone, width: 0, points: { show: false }, paths: window.uPlot.paths.bars({ size: [0.75, 48, 1], align: 1 }) };
  });
  done();
  const peak = Math.max(...heights(data).flat()) || 1;
  const labels = valueSplits(peak, data.unit);
  const longest = Math.max(...labels.map((value) => tell(value).length));
  const axis = { stroke: label, font: `12px ${getComputedStyle(figure).fontFamily}`, ticks: { show: false }, gap: 6 };
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    padding: [8, 0, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false, range: [0, count] }, y: { range: [0, peak * 1.04] } },
    axes: [
      {
        ...axis,
        size: 24,
        grid: { show: false },
        splits: (plot) => xSplits(data, count, plot.width),
        values: (plot, splits) =>
          splits.map((index) => (data.labels.length ? data.edges[index] : timeWords(data.times[index], data.step))),
      },
      {
        ...axis,
        size: longest * 7 + 12,
        grid: { stroke: grid, width: 1 },
        splits: () => labels,
        values: (plot, splits) => splits.map(tell),
      },
    ],
    series: [{}, ...series],
    hooks: {
      setCursor: [
        (plot) => {
          const at = plot.cursor.left >= 0 ? Math.floor(plot.posToVal(plot.cursor.left, "x")) : -1;
          if (at < 0) return show(figure, null);
          const index = Math.min(at, count - 1);
          const left = plot.over.offsetLeft + plot.cursor.left;
          show(figure, { left, when: slotWords(data, index), rows: tipRows(data, index) });
        },
      ],
    },
  };
}

function draw(chart) {
  chart.plot?.destroy();
  chart.box.replaceChildren();
  show(chart.figure, null);
  // A line runs through the middles of its slots, a bar begins at its slot's start.
  const shift = chart.data.kind === "lines" ? 0.5 : 0;
  const xs = chart.data.series[0].values.map((_, index) => index + shift);
  chart.plot = new window.uPlot(options(chart), [xs, ...heights(chart.data)], chart.box);
}

function attach(figure) {
  const source = document.getElementById(figure.dataset.seriesChart);
  const box = figure.querySelector("[data-chart-plot]");
  if (!source || !box || !window.uPlot || figure.dataset.drawn) return;
  const data = JSON.parse(source.textContent);
  if (!data.series.length || !data.series[0].values.length) return;
  figure.dataset.drawn = "yes";
  if (!box.hasAttribute("role")) box.setAttribute("role", "img");
  box.setAttribute("aria-label", box.querySelector("svg")?.getAttribute("aria-label") ?? "");
  figure.querySelector("[data-chart-edges]")?.remove(); // the axis says them
  const chart = { figure, box, data, plot: null };
  draw(chart);
  charts.add(chart);
  figure.addEventListener("bloop:chart-at", ({ detail }) => {
    const left = detail.index === null ? -10 : chart.plot.valToPos(detail.index + 0.5, "x");
    chart.plot.setCursor({ left, top: left < 0 ? -10 : 0 });
    if (detail.index !== null) detail.words = readoutWords(data, detail.index);
  });
  new ResizeObserver(() => {
    if (chart.plot && box.clientWidth && box.clientWidth !== chart.plot.width) {
      chart.plot.setSize({ width: box.clientWidth, height: box.clientHeight });
    }
  }).observe(box);
}

function attachAll() {
  for (const chart of charts) {
    if (chart.figure.isConnected) continue;
    chart.plot.destroy();
    charts.delete(chart);
  }
  document.querySelectorAll("[data-series-chart]").forEach(attach);
}

const redrawAll = () => charts.forEach(draw);

attachAll();
document.addEventListener("htmx:afterSettle", attachAll);
document.addEventListener("bloop:theme", redrawAll);
document.fonts.load("12px 'Inter Variable'").then(redrawAll);

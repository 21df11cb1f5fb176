// What stands at a chart's crosshair, beside it: it floats, so that nothing moves under the pointer. A chart that drew its
// crosshair sends bloop:chart-tip with { left, when, rows: [{ tone, label, value }] }, left in pixels of its plot, or null.
const GAP = 12;

const element = (name, className, text = "") => Object.assign(document.createElement(name), { className, textContent: text });

function tipOf(figure) {
  const found = figure.querySelector(".chart-tip");
  if (found) return found;
  const tip = element("div", "chart-tip");
  tip.setAttribute("aria-hidden", "true"); // the ear hears it as the value of the chart
  figure.append(tip);
  return tip;
}

function rowOf({ tone, label, value }) {
  const row = element("p", "chart-tip__row");
  if (tone) row.append(element("span", `chart-tip__mark tone-${tone}`));
  row.append(element("bdi", "chart-tip__name", label), element("b", "", value));
  return row;
}

document.addEventListener("bloop:chart-tip", ({ target: figure, detail }) => {
  const tip = tipOf(figure);
  tip.hidden = detail === null;
  if (tip.hidden) return;
  const rows = detail.rows.length ? detail.rows.map(rowOf) : [element("p", "quiet", "nothing")];
  tip.replaceChildren(element("p", "chart-tip__when", detail.when), ...rows);
  const box = figure.querySelector("[data-chart-plot]");
  const left = box.offsetLeft + detail.left;
  const isRoom = box.offsetLeft + box.clientWidth - left > tip.offsetWidth + GAP;
  tip.style.left = `${Math.max(0, isRoom ? left + GAP : left - tip.offsetWidth - GAP)}px`;
  tip.style.top = `${box.offsetTop}px`;
});

// Local and propagated errors over the nodes in topological order.

const FLOOR = 1e-9; // what is smaller is drawn there
const SERIES = [ // the last one is drawn above the others
  { name: "propagated", words: "propagated: in the whole candidate", value: (node) => height(propagated, node) },
  { name: "local", words: "local: the node by itself, fed by the reference", value: (node) => (foreseen.has(node) ? null : height(local, node)) },
  { name: "foreseen", words: "foreseen: local, emulated on the CPU", value: (node) => (foreseen.has(node) ? height(local, node) : null) },
];
let plot = null;
let top_ = 1; // where NaN and Inf are drawn
let range = [0, 0];
const here = el("div", { class: "here", hidden: true }); // where the chosen node is: it moves often, and the points need not be drawn anew

function height(errors, node) {
  if (!errors.seen[node]) return null;
  if (errors.nonfinite[node] || !Number.isFinite(errors.rms[node])) return top_;
  return Math.max(errors.rms[node], FLOOR);
}

function startDepth() {
  const seen = [...local.rms, ...propagated.rms].filter((value) => Number.isFinite(value));
  const odd = [local, propagated].some((errors) => errors.nonfinite.some((count) => count > 0) || errors.rms.some((value) => value === Infinity));
  if (!seen.length && !odd) {
    say("depth-lead", "No error of a single node is known in this session.");
    return;
  }
  top_ = 10 ** Math.ceil(Math.log10(Math.max(limit, 1, ...capped(seen))) + 1);
  say("depth-lead", "Relative RMS error of what each node writes, in topological order. Hover to see a node, click to choose it, drag to look closer.");
  byId("depth-tools").hidden = false;
  byId("depth-reset").addEventListener("click", () => setRange(0, total - 1));
  const place = byId("depth-plot");
  Object.entries({ role: "slider", tabindex: "0", "aria-label": "Node, by depth", "aria-valuemin": 1, "aria-valuemax": total, "aria-valuenow": 1 })
    .forEach(([name, value]) => place.setAttribute(name, value));
  place.addEventListener("keydown", onDepthKey);
  range = [0, total - 1];
  drawDepth();
  onTheme.push(drawDepth);
  new ResizeObserver(() => {
    plot.setSize(plotSize());
    placeHere();
  }).observe(place);
}

const capped = (values) => [values.reduce((a, b) => Math.max(a, b), 0)]; // Math.max takes no 10,000 arguments everywhere
const plotSize = () => ({ width: Math.max(260, byId("depth-plot").clientWidth - 14), height: innerWidth < 600 ? 230 : 300 });

function drawDepth() {
  const kept = range;
  plot?.destroy();
  const numbers = Array.from({ length: total }, (_, node) => node + 1);
  const columns = SERIES.map((series) => numbers.map((number_) => series.value(number_ - 1)));
  const used = SERIES.map((_, at) => columns[at].some((value) => value !== null));
  const odd = columns.some((column) => column.includes(top_));
  const tip = el("div", { class: "tip", hidden: true });
  plot = new uPlot({
    ...plotSize(),
    legend: { show: false },
    cursor: { drag: { x: true, y: false }, points: { size: 11 }, y: false },
    scales: { x: { time: false }, y: { distr: 3, range: (_, low, high) => [Math.max(FLOOR / 2, (low || FLOOR) / 3), Math.max(high || 1, limit) * 3] } },
    axes: [
      { stroke: colour("--soft"), grid: { show: false }, ticks: { stroke: colour("--line") }, values: (_, places) => places.map((p) => (Number.isInteger(p) ? whole(p) : "")) },
      { stroke: colour("--soft"), size: 66, filter: powers, grid: { stroke: colour("--faint"), filter: powers }, ticks: { show: false }, values: (_, heights) => heights.map((h) => axisWords(h, odd)) },
    ],
    series: [{}, ...SERIES.map((series) => ({
      stroke: colour(`--${series.name}`), paths: () => null,
      points: { show: true, width: 0, fill: colour(`--${series.name}`) },
    }))],
    hooks: {
      draw: [drawMarks, placeHere],
      setCursor: [(u) => showTip(u, tip)],
      setScale: [(u, scale) => scale === "x" && u.scales.x.min !== null && ranged(u)],
      ready: [(u) => { u.over.append(here, tip); u.over.addEventListener("click", () => clicked(u)); u.over.addEventListener("dblclick", () => setRange(0, total - 1)); }],
    },
  }, [numbers, ...columns], byId("depth-plot"));
  plot.over.addEventListener("mouseleave", () => (tip.hidden = true));
  setRange(...kept);
  drawKeys(used);
}

const isPower = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6;
const powers = (_, heights) => heights.map((value) => (isPower(value) ? value : null));

/** Powers of ten; the highest line is that of NaN and Inf. */
function axisWords(value, odd) {
  if (odd && value === top_) return "NaN, Inf";
  if (value === null || value > top_ || (odd && value > top_ / 9)) return "";
  return `1e${Math.round(Math.log10(value))}`;
}

/** The tolerance, and the culprits at the foot. */
function drawMarks(u) {
  const { ctx, bbox } = u;
  const line = (stroke, dash, ...ends) => {
    ctx.strokeStyle = stroke;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(ends[0], ends[1]);
    ctx.lineTo(ends[2], ends[3]);
    ctx.stroke();
  };
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.lineWidth = devicePixelRatio;
  const foot = bbox.top + bbox.height;
  const x = (node) => Math.round(u.valToPos(node + 1, "x", true));
  if (data.limit !== null) {
    const y = Math.round(u.valToPos(data.limit, "y", true));
    line(colour("--bad"), [6, 4], bbox.left, y, bbox.left + bbox.width, y);
  }
  ctx.lineWidth = 3 * devicePixelRatio;
  for (const node of culpritOf.keys()) line(colour("--bad"), [], x(node), foot, x(node), foot - 9 * devicePixelRatio);
  ctx.restore();
}

function drawKeys(used) {
  const dot = (name) => svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("circle", { class: name, cx: 5, cy: 5, r: 4 }));
  const dash = svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("line", { x1: 0, x2: 10, y1: 5, y2: 5 }));
  byId("depth-keys").replaceChildren(
    ...SERIES.filter((_, at) => used[at]).map((series) => el("span", null, dot(series.name), series.words)),
    ...(data.limit === null ? [] : [el("span", null, dash, `the tolerance, ${number(data.limit)}`)]),
    ...(culpritOf.size ? [el("span", null, svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: "odd", x: 3.5, y: 1, width: 3, height: 9 })), "culprits")] : []));
}

/** "local 0.1, propagated 0.2" of a node. */
const depthWords = (node) =>
  `${foreseen.has(node) ? "foreseen" : "local"} ${errorWords(local, node)}; propagated ${errorWords(propagated, node)}`;

function showTip(u, tip) {
  const node = u.cursor.idx;
  const away = u.cursor.left < 0 || node === null || node === undefined;
  tip.hidden = away;
  if (away) return;
  tip.replaceChildren(el("b", { class: "mono" }, short(graph.names[node], 60)), el("span", null, opOf(node)), el("span", null, depthWords(node)));
  const left = Math.min(u.cursor.left + 12, u.over.clientWidth - tip.offsetWidth - 4);
  tip.style.left = `${Math.max(0, left)}px`;
}

function clicked(u) {
  const node = u.cursor.idx;
  if (u.select.width < 3 && node !== null && node !== undefined) choose(node, true);
}

function ranged(u) {
  range = [Math.max(0, Math.ceil(u.scales.x.min) - 1), Math.min(total - 1, Math.floor(u.scales.x.max) - 1)];
  sizePoints(u, range[1] - range[0]);
  placeHere();
  byId("depth-reset").disabled = range[0] === 0 && range[1] === total - 1;
  showNodes(range);
}

/** Points are the larger, the fewer there are; what is propagated shows around what is local. */
function sizePoints(u, nodes) {
  const size = nodes > 3000 ? 3 : nodes > 300 ? 4 : 6;
  SERIES.forEach((series, at) => (u.series[at + 1].points.size = series.name === "propagated" ? size + 2 : size));
}

function setRange(from, to) {
  const pad = Math.max(0.5, (to - from) * 0.01);
  plot.setScale("x", { min: from + 1 - pad, max: to + 1 + pad });
}

/** Shows where the chosen node is. */
function pointTo(node) {
  byId("depth-plot").setAttribute("aria-valuenow", node + 1);
  byId("depth-plot").setAttribute("aria-valuetext", `${short(graph.names[node], 120)}, ${opOf(node)}: ${depthWords(node)}`);
  placeHere();
}

function placeHere() {
  const left = plot && chosen !== null ? plot.valToPos(chosen + 1, "x") : -1;
  here.hidden = left < 0 || left > plot.over.clientWidth;
  here.style.left = `${left}px`;
}

function onDepthKey(event) {
  const node = chosen ?? 0;
  const [from, to] = range;
  const stride = Math.max(1, Math.round((to - from) / 10));
  const near = { ArrowLeft: node - 1, ArrowDown: node - 1, ArrowRight: node + 1, ArrowUp: node + 1, PageDown: node - stride, PageUp: node + stride, Home: from, End: to }[event.key];
  if (near !== undefined) {
    const next = Math.min(total - 1, Math.max(0, near));
    choose(next, !shown.has(next));
    plot.setCursor({ left: plot.valToPos(next + 1, "x"), top: 10 });
    say("depth-said", `${short(graph.names[next], 80)} (${opOf(next)}): ${depthWords(next)}`);
  } else if (event.key === "+" || event.key === "-") {
    const half = Math.max(4, ((to - from) * (event.key === "+" ? 0.5 : 2)) / 2);
    setRange(Math.max(0, node - half), Math.min(total - 1, node + half));
  } else if (event.key === "Escape") setRange(0, total - 1);
  else return;
  event.preventDefault();
}

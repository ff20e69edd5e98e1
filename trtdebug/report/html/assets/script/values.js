// How values are spread, in the reference and in the candidate, by powers of two, with the range of FP16.

const FP16 = { tiny: -24, normal: -14, end: 16 }; // powers of two: subnormal from, normal from, up to (65504)
const [LOWEST, HIGHEST] = data.bins;

function startValues() {
  if (!data.values.length) {
    say("values-lead", "The session keeps no tensors of the cause.");
    byId("values-list").parentElement.hidden = true;
    return;
  }
  say("values-lead", "Of the culprits' tensors, those next to them, and the outputs: how many elements have which magnitude.");
  byId("values-list").replaceChildren(...data.values.map((values, place) => el("button", {
    type: "button", "aria-pressed": "false", click: () => showValues(place),
  }, el("span", { class: "mono" }, short(values.tensor, 60)), el("small", null, sourceWords(values)))));
  showValues(0);
}

function sourceWords(values) {
  if (!values.candidate) return "reference only";
  return values.source === "alone" ? "the node by itself" : "in the whole candidate";
}

function showValues(place) {
  [...byId("values-list").children].forEach((button, at) => button.setAttribute("aria-pressed", String(at === place)));
  const values = data.values[place];
  byId("values-figure").replaceChildren(
    el("figcaption", null, el("b", { class: "mono" }, short(values.tensor, 120)), ` ${caption(values)}`),
    drawHistogram(values), key(values));
}

function caption({ reference, candidate, sample, source }) {
  const span = (counts) => (counts.lowest === null ? "no finite value" : `${number(real(counts.lowest))} to ${number(real(counts.highest))}`);
  const odd = (counts) => counts.nan + counts.minus_inf + counts.plus_inf;
  const parts = [`${many(reference.elements, "element")} of sample ${sample}. Reference: ${span(reference)}`];
  if (candidate) {
    parts.push(`candidate${source === "alone" ? ", fed with the reference's inputs" : ""}: ${span(candidate)}`);
    if (odd(candidate) !== odd(reference)) parts.push(`${whole(odd(candidate))} of its elements are NaN or Inf`);
  } else parts.push("the candidate's values were not kept");
  const sampled = reference.step > 1 ? ` One in ${reference.step} elements was counted.` : "";
  return `${parts.join("; ")}.${sampled}`;
}

function key({ candidate }) {
  const box = (name) => svg("svg", { class: "key", viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: name, x: 0.5, y: 0.5, width: 9, height: 9 }));
  return el("div", { class: "keys" },
    el("span", null, box("reference"), "reference"),
    candidate ? el("span", null, box("candidate"), "candidate") : null,
    el("span", null, box("safe"), "FP16 range"), el("span", null, box("weak"), "FP16 loses digits"), el("span", null, box("out"), "beyond FP16"));
}

/** Columns from left to right: -Inf, negative by falling magnitude, 0, positive, Inf, NaN. */
function columnsOf(values) {
  const all = [values.reference, values.candidate].filter(Boolean);
  const used = (side) => all.flatMap((counts) => counts[side].flatMap((count, bin) => (count ? [bin + LOWEST] : [])));
  const negative = used("negative");
  const positive = used("positive");
  const low = Math.min(FP16.tiny - 1, ...negative, ...positive);
  const high = Math.max(FP16.end + 1, ...negative, ...positive);
  const powers = Array.from({ length: high - low + 1 }, (_, at) => low + at);
  const has = (name) => all.some((counts) => counts[name]);
  const side = (name, sign) => powers.map((power) => ({ power, sign, of: (counts) => counts[name][power - LOWEST] || 0 }));
  const special = (name, words) => ({ words, odd: name !== "zero", of: (counts) => counts[name] });
  return [
    ...(has("minus_inf") ? [special("minus_inf", "-Inf")] : []),
    ...(negative.length ? side("negative", -1).reverse() : []),
    special("zero", "0"),
    ...(positive.length || !negative.length ? side("positive", 1) : []),
    ...(has("plus_inf") ? [special("plus_inf", "Inf")] : []),
    ...(has("nan") ? [special("nan", "NaN")] : []),
  ];
}

function drawHistogram(values) {
  const columns = columnsOf(values);
  const room = byId("values-figure").clientWidth - 32;
  const size = { width: Math.min(900, Math.max(300, room)), height: room < 500 ? 200 : 260, foot: 34, head: 12, left: 8 };
  const special = 26;
  const free = size.width - size.left * 2 - special * columns.filter((column) => column.words).length;
  const bin = free / Math.max(1, columns.filter((column) => !column.words).length);
  let x = size.left;
  for (const column of columns) {
    column.x = x;
    column.width = column.words ? special : bin;
    x += column.width;
  }
  const all = [values.reference, values.candidate].filter(Boolean);
  const most = Math.max(1, ...columns.flatMap((column) => all.map(column.of)));
  const floor = size.height - size.foot;
  const up = (count) => (count ? ((floor - size.head) * (1 + Math.log10(count))) / (1 + Math.log10(most)) : 0);
  const bar = (column, counts, name, gap) => {
    const tall = up(column.of(counts));
    return tall ? svg("rect", { class: name, x: column.x + gap, y: floor - tall, width: Math.max(0.5, column.width - 2 * gap), height: tall }) : null;
  };
  const drawing = svg("svg", { viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": `Histogram of ${short(values.tensor, 80)}: ${caption(values)}` });
  drawing.append(...columns.filter((column) => !column.words).map((column) => svg("rect", { class: zone(column.power), x: column.x, y: size.head, width: column.width + 0.4, height: floor - size.head })));
  for (const column of columns) drawing.append(...[bar(column, values.reference, "reference", column.words ? 3 : 0.4)].filter(Boolean));
  if (values.candidate) {
    drawing.append(outline(columns.filter((column) => !column.words), values.candidate, up, floor));
    for (const column of columns.filter((c) => c.words)) {
      const drawn_ = bar(column, values.candidate, column.odd ? "odd" : "candidate", 7);
      if (drawn_) drawing.append(drawn_);
    }
  }
  drawing.append(svg("line", { class: "axis", x1: size.left, x2: size.width - size.left, y1: floor, y2: floor }), ...axis(columns, floor));
  return drawing;
}

const zone = (power) => (power >= FP16.end || power < FP16.tiny ? "out" : power < FP16.normal ? "weak" : "safe");

/** The candidate's counts as stepped lines, one for each run of bins that are not empty. */
function outline(columns, counts, up, floor) {
  let path = "";
  let open = false;
  for (const column of columns) {
    const tall = up(column.of(counts));
    if (tall && !open) path += `M${column.x},${floor}`;
    if (!tall && open) path += `V${floor}`;
    if (tall) path += `V${floor - tall}H${column.x + column.width}`;
    open = tall > 0;
  }
  return svg("path", { class: "candidate", d: path + (open ? `V${floor}` : "") || "M0,0" });
}

function axis(columns, floor) {
  const words = (x, text, row) => svg("text", { x, y: floor + 13 + row * 13, "text-anchor": "middle" }, text);
  const marks = { [FP16.tiny]: "6e-8", [FP16.normal]: "6e-5", 0: "1", [FP16.end]: "65504" };
  return columns.flatMap((column) => {
    if (column.words) return [words(column.x + column.width / 2, column.words, 0)];
    const text = marks[column.power];
    if (!text) return [];
    return [words(column.sign > 0 ? column.x : column.x + column.width, (column.sign < 0 ? "-" : "") + text, 1)];
  });
}

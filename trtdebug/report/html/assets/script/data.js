// What the session knows, as columns by node (see columns.py), and words for numbers.

const data = JSON.parse(document.getElementById("data").textContent);
const graph = data.graph;
const total = graph ? graph.names.length : 0;
const nobody = [];

const real = (value) => (value === null ? NaN : Number(String(value).replace("inf", "Infinity")));
const column = (errors) => ({
  rms: Float64Array.from(errors.rms, real),
  seen: errors.rms.map((value) => value !== null),
  nonfinite: errors.nonfinite,
  failed: new Set(errors.failed),
});
const local = column(data.local);
const propagated = column(data.propagated);
const foreseen = new Set(data.foreseen);

const before = graph ? graph.before : nobody;
const after = Array.from({ length: total }, () => []);
before.forEach((places, node) => places.forEach((place) => after[place].push(node)));

const culpritOf = new Map();
for (const culprit of data.marks.culprits) {
  for (const node of culprit.nodes) if (!culpritOf.has(node)) culpritOf.set(node, culprit);
}
const pinned = new Set(data.marks.pins);
const isOutput = new Set(graph ? graph.isOutput : nobody);
const asBuilt = data.engines.find((engine) => engine.title === "as you build it");
const withFix = data.engines.find((engine) => engine.title === "with the fix");

/** Layer by node, where the engine tells: its place in the engine's layers. */
function layersOf(engine) {
  const found = new Map();
  (engine ? engine.layers : nobody).forEach((layer, place) => {
    for (const node of [...layer.nodes, ...layer.atMost]) if (!found.has(node)) found.set(node, place);
  });
  return found;
}
const layerOf = layersOf(asBuilt);
const layerWithFix = layersOf(withFix);

const opOf = (node) => graph.ops[graph.op[node]];
const typeOf = (node, output) => graph.typeNames[graph.types[node][output]] || "";

const hasCause = data.marks.first !== null || culpritOf.size > 0;

/** The node where a reader should start: first divergence, first culprit or wrong tensor, else what writes an output. */
function startNode() {
  if (data.marks.first !== null) return data.marks.first;
  const wrong = [...culpritOf.keys(), ...local.failed, ...propagated.failed];
  const nodes = wrong.length ? wrong : [...isOutput];
  return nodes.reduce((first, node) => Math.min(first, node), nodes.length ? nodes[0] : 0);
}

// Colours by local error, in steps of the tolerance; where there is no single number, of a hundredth.
const limit = data.limit || 0.01;
const steps = [0.01, 0.1, 0.3, 1, 10].map((part) => part * limit);

/** "e0" (small) to "e5" (large, or NaN or Inf), or "unseen". */
function level(node) {
  if (!local.seen[node]) return "unseen";
  if (local.nonfinite[node]) return "e5";
  const place = steps.findIndex((step) => local.rms[node] < step);
  return `e${place < 0 ? steps.length : place}`;
}

function number(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "Inf" : "-Inf";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2).replace(/\.?0*e\+?/, "e") : String(Number(value.toPrecision(3)));
}
const whole = (value) => value.toLocaleString("en");
const many = (items, one) => `${whole(items)} ${one}${items === 1 ? "" : "s"}`;

/** An error in words: "0.00031", "0.00031, 719 NaN or Inf"; "not seen" where nobody looked. */
function errorWords(errors, node) {
  if (!errors.seen[node]) return "not seen";
  const odd = errors.nonfinite[node] ? `${whole(errors.nonfinite[node])} NaN or Inf` : "";
  if (odd && !errors.rms[node]) return odd;
  return [number(errors.rms[node]), odd].filter(Boolean).join(", ");
}

/** A name of at most so many characters: cut in front of its end, which says most. */
function short(name, longest, front = 1 / 3) {
  const letters = Array.from(name);
  if (letters.length <= longest) return name;
  const head = Math.floor((longest - 1) * front);
  return `${letters.slice(0, head).join("")}…${letters.slice(head + 1 - longest).join("")}`;
}

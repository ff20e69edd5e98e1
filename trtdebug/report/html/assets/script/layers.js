// The engine's layers: what is fused, in which precision, by which tactic.

function startLayers() {
  const engines = data.engines.filter((engine) => engine.layers.length);
  if (!engines.length) {
    say("layers-lead", noLayers());
    return;
  }
  const tools = byId("layers-tools");
  const buttons = engines.map((engine) => el("button", { type: "button", click: () => showEngine(engine) }, engine.title));
  if (engines.length > 1) tools.append(el("div", { class: "buttons", role: "group", "aria-label": "Engine" }, ...buttons));
  const isTimed = engines.some((engine) => engine.layers.some((layer) => layer.ms !== null));
  let engine = engines[0];
  const isBad = (at) => [...engine.layers[at].nodes, ...engine.layers[at].atMost].some((node) => culpritOf.has(node));
  const table = makeTable(byId("layers-table"), "Engine layers", [
    { title: "Number", number: true, value: (at) => at, cell: (at) => whole(at + 1) },
    { title: "Layer", wide: true, value: (at) => engine.layers[at].name, cell: (at) => layerCell(engine.layers[at]) },
    { title: "Precision", value: (at) => engine.layers[at].precision || "", cell: (at) => engine.layers[at].precision || "not told" },
    ...(engines.length > 1 ? [{ title: "Other engine", value: (at) => inOther(engine, at), cell: (at) => otherCell(engine, at) }] : []),
    { title: "Reads, writes", cell: (at) => typesOf(engine.layers[at]) },
    { title: "Tactic", wide: true, value: (at) => engine.layers[at].tactic || "", cell: (at) => el("span", { class: "mono" }, short(engine.layers[at].tactic || "not told", 70)) },
    ...(isTimed ? [{ title: "Time, ms", number: true, value: (at) => engine.layers[at].ms ?? NaN, cell: (at) => (engine.layers[at].ms === null ? "not known" : number(engine.layers[at].ms)) }] : []),
    { title: "Nodes", number: true, value: (at) => engine.layers[at].nodes.length, cell: (at) => nodesOf(engine.layers[at]) },
  ], { size: 12, rowClass: (at) => (isBad(at) ? "bad" : "") });

  function showEngine(given) {
    engine = given;
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(engines[at] === engine)));
    say("layers-lead", [`${engine.backend}, ${many(engine.layers.length, "layer")}, built ${engine.title}`, ...engine.notes].join(". ") + ". Layers with a culprit come first and have a red edge.");
    const all = engine.layers.map((_, at) => at);
    table.show([...all.filter(isBad), ...all.filter((at) => !isBad(at))]);
  }
  showEngine(engine);
}

/** In which precisions the other engine computes a layer's nodes. */
function inOther(engine, at) {
  const [other, places] = engine === asBuilt ? [withFix, layerWithFix] : [asBuilt, layerOf];
  const found = engine.layers[at].nodes.filter((node) => places.has(node)).map((node) => other.layers[places.get(node)].precision || "not told");
  return [...new Set(found)].sort().join(", ");
}

function otherCell(engine, at) {
  const there = inOther(engine, at);
  return there && there !== engine.layers[at].precision ? el("b", null, there) : there || "not told";
}

function noLayers() {
  if (!data.engines.length) return "This session holds no engine to look into.";
  const { backend, notes } = data.engines[0];
  const told = notes.length ? `: ${notes.join("; ")}` : "";
  return `${backend} shows no engine layers${told}. TensorRT's fusions, precisions and tactics stand here where it is the candidate.`;
}

function layerCell(layer) {
  const first = [...layer.nodes].sort((a, b) => Number(culpritOf.has(b)) - Number(culpritOf.has(a)));
  const nodes = first.slice(0, 4).map((node) => el("span", null, nodeLink(node, 40), " "));
  const alone = layer.nodes.length === 1 && graph && graph.names[layer.nodes[0]] === layer.name;
  return el("div", null,
    alone ? nodes[0] : el("span", { class: "mono", title: layer.name.length > 90 ? layer.name : null }, short(layer.name, 90)),
    layer.type ? el("small", { class: "evidence" }, ` ${layer.type}`) : null,
    !alone && nodes.length ? el("div", { class: "evidence" }, ...nodes, layer.nodes.length > 4 ? `and ${layer.nodes.length - 4} more` : "") : null);
}

const typesOf = (layer) => `${layer.reads.join(", ") || "?"} → ${layer.writes.join(", ") || "?"}`;
const nodesOf = (layer) => (layer.nodes.length || !layer.atMost.length ? whole(layer.nodes.length) : `up to ${whole(layer.atMost.length)}`);

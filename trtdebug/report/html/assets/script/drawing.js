// Lays the shown nodes out, top down, and draws them.

const BOX = { width: 176, height: 42 };

/** Places of the shown nodes, paths of their edges, and frames of the engine layers that hold several of them. */
function arranged(shown) {
  const plan = new graphlib.Graph({ compound: true });
  plan.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 34, marginx: 24, marginy: 24 });
  plan.setDefaultEdgeLabel(() => ({}));
  for (const node of shown) plan.setNode(String(node), { ...BOX });
  for (const node of shown) {
    for (const other of before[node]) if (shown.has(other)) plan.setEdge(String(other), String(node));
  }
  const layers = fusedLayers(shown);
  for (const [layer, nodes] of layers) {
    plan.setNode(`layer ${layer}`, {});
    for (const node of nodes) plan.setParent(String(node), `layer ${layer}`);
  }
  layout(plan);
  return {
    size: plan.graph(),
    nodes: [...shown].sort((a, b) => a - b).map((node) => ({ node, ...plan.node(String(node)) })),
    edges: plan.edges().map((edge) => ({ from: Number(edge.v), to: Number(edge.w), points: plan.edge(edge).points })),
    layers: [...layers.keys()].map((layer) => ({ layer, ...plan.node(`layer ${layer}`) })),
  };
}

function fusedLayers(shown) {
  const nodesOf = new Map();
  for (const node of shown) {
    const layer = layerOf.get(node);
    if (layer === undefined || !asBuilt.layers[layer].nodes.includes(node)) continue;
    if (!nodesOf.has(layer)) nodesOf.set(layer, []);
    nodesOf.get(layer).push(node);
  }
  return new Map([...nodesOf].filter(([, nodes]) => nodes.length > 1));
}

function edgePath(points) {
  const [first, ...rest] = points;
  let path = `M${first.x},${first.y}`;
  rest.forEach((point, at) => {
    const next = rest[at + 1];
    path += next ? `Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}` : `L${point.x},${point.y}`;
  });
  return path;
}

function drawEdge(edge) {
  return svg("path", { class: "edge", d: edgePath(edge.points), "marker-end": "url(#arrow)", "data-from": edge.from, "data-to": edge.to });
}

function drawLayer({ layer, x, y, width, height }) {
  const left = x - width / 2;
  const top = y - height / 2;
  const words = short(`fused, ${asBuilt.layers[layer].precision || "precision not told"}`, 40);
  return svg("g", { class: "layer" },
    svg("rect", { x: left, y: top, width, height, rx: 8 }),
    svg("text", { x: left + 6, y: top + height - 5 }, words));
}

function drawNode({ node, x, y }, shown) {
  const left = x - BOX.width / 2;
  const top = y - BOX.height / 2;
  const folded = hidden(node, shown).length;
  const classes = ["node", level(node), culpritOf.has(node) ? "culprit" : "", pinned.has(node) ? "pinned" : ""];
  return svg("g", {
    class: classes.filter(Boolean).join(" "), "data-node": node, role: "button", tabindex: "-1", "aria-label": nodeWords(node, folded),
  },
    svg("title", null, short(graph.names[node], 600)),
    svg("rect", { class: "halo", x: left - 4, y: top - 4, width: BOX.width + 8, height: BOX.height + 8, rx: 9 }),
    svg("rect", { class: "box", x: left, y: top, width: BOX.width, height: BOX.height, rx: 6 }),
    svg("svg", { x: left + 10, y: top, width: BOX.width - 20, height: BOX.height },
      svg("text", { class: "op", x: 0, y: 17 }, short(opOf(node), 20)),
      svg("text", { x: 0, y: 33 }, short(graph.names[node], 22, 0))),
    pinned.has(node) ? svg("circle", { class: "pin", cx: left + BOX.width - 12, cy: top + 12, r: 5 }) : null,
    folded ? svg("rect", { class: "more", x: x - 17, y: top + BOX.height - 7, width: 34, height: 14, rx: 7 }) : null,
    folded ? svg("text", { class: "more-text", x, y: top + BOX.height + 3.5 }, `+${folded}`) : null,
  );
}

/** What the drawing shows of a node, for those who listen. */
function nodeWords(node, folded) {
  return [
    short(graph.names[node], 120), opOf(node),
    culpritOf.has(node) ? "culprit" : "",
    pinned.has(node) ? "pinned by the fix" : "",
    isOutput.has(node) ? "writes an output" : "",
    `local error ${errorWords(local, node)}`,
    folded ? `${folded} neighbours hidden` : "",
  ].filter(Boolean).join(", ");
}

function drawLegend() {
  const mark = (name, shape) => svg("svg", { width: 16, height: 14, "aria-hidden": "true" }, shape || svg("rect", { class: `swatch ${name}`, x: 1.5, y: 1.5, width: 13, height: 11, rx: 2 }));
  const item = (name, words, shape) => el("span", { class: "item" }, mark(name, shape), words);
  const levels = new Set(Array.from({ length: total }, (_, node) => level(node)));
  const words = steps.map((step, at) => [`e${at}`, `below ${number(step)}`]);
  const items = [...words, ["e5", `more, NaN or Inf`], ["unseen", "not seen"]].filter(([name]) => levels.has(name));
  byId("legend").replaceChildren(
    el("span", null, foreseen.size ? "Local error (seen or foreseen)" : "Local error"),
    ...items.map(([name, text]) => item(name, text)),
    ...(culpritOf.size ? [item("culprit", "culprit")] : []),
    ...(pinned.size ? [item("pinned", "pinned by the fix", svg("circle", { class: "swatch pinned", cx: 8, cy: 7, r: 5 }))] : []),
    ...(layerOf.size ? [item("fused", "one engine layer")] : []),
    el("span", null, "Drag to move, Ctrl and wheel to zoom, double click to unfold"));
}

// The nodes within the plot's range, as a table.

let nodeTable = null;

function startNodes() {
  const pill = (node) => (culpritOf.has(node) ? el("span", { class: "pill culprit" }, "culprit") : pinned.has(node) ? el("span", { class: "pill pinned" }, "pinned") : "");
  const precision = (node) => (layerOf.has(node) ? asBuilt.layers[layerOf.get(node)].precision || "not told" : "not told");
  const gravity = (errors) => (node) => (errors.seen[node] ? (errors.nonfinite[node] ? 1e300 : 0) + errors.rms[node] : NaN);
  nodeTable = makeTable(byId("depth-table"), "Nodes by their errors", [
    { title: "Number", number: true, value: (node) => node, cell: (node) => whole(node + 1) },
    { title: "Node", wide: true, value: (node) => graph.names[node], cell: (node) => el("span", null, nodeLink(node, 70), " ", pill(node)) },
    { title: "Operator", value: opOf, cell: (node) => short(opOf(node), 40) },
    { title: "Local error", number: true, value: gravity(local), cell: (node) => errorWords(local, node) + (foreseen.has(node) ? " (foreseen)" : "") },
    { title: "Propagated error", number: true, value: gravity(propagated), cell: (node) => errorWords(propagated, node) },
    ...(asBuilt && asBuilt.layers.length ? [{ title: "Precision", value: precision, cell: precision }] : []),
  ], { size: 10, sort: { column: 3, down: true }, rowClass: (node) => (culpritOf.has(node) ? "bad" : "") });
}

function showNodes([from, to]) {
  nodeTable.show(Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at));
}

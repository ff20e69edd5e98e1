// All that is known of the chosen node.

function showDetails(node) {
  const name = graph.names[node];
  const culprit = culpritOf.get(node);
  fill(byId("details"),
    el("h3", { class: name.length > 300 ? "long mono" : "mono", tabindex: name.length > 300 ? "0" : null }, name),
    el("p", null, `${opOf(node)}, number ${whole(node + 1)} of ${whole(total)}`),
    el("div", { class: "tags" }, ...tags(node)),
    culprit ? el("p", { class: "evidence" }, culprit.evidence) : null,
    el("h4", null, "Errors"),
    facts([
      [foreseen.has(node) ? "foreseen" : "local", `${errorWords(local, node)}${foreseen.has(node) ? " (emulated on the CPU)" : ""}`],
      ["propagated", errorWords(propagated, node)],
    ]),
    el("h4", null, "Writes"),
    el("ul", null, ...graph.writes[node].map((tensor, at) => el("li", null,
      el("span", { class: "mono", title: tensor.length > 80 ? short(tensor, 600) : null }, short(tensor, 80)), ` ${typeOf(node, at)}`))),
    ...engineWords(node),
    ...neighbours("Reads from", before[node]),
    ...neighbours("Read by", after[node]),
    el("div", { class: "buttons" },
      unfoldButton("Show inputs", node, before[node]),
      unfoldButton("Show readers", node, after[node]),
      valuesButton(node)),
  );
}

function tags(node) {
  const pill = (kind, words) => el("span", { class: `pill ${kind}` }, words);
  return [
    culpritOf.has(node) ? pill("culprit", culpritOf.get(node).proven ? "culprit" : "suspect") : null,
    pinned.has(node) ? pill("pinned", "pinned by the fix") : null,
    isOutput.has(node) ? pill("", "writes an output") : null,
    local.failed.has(node) ? pill("fail", "wrong by itself") : null,
    propagated.failed.has(node) ? pill("fail", "wrong in the candidate") : null,
  ].filter(Boolean);
}

const facts = (rows) => el("dl", null, ...rows.map(([key, value]) => el("div", null, el("dt", null, key), el("dd", null, value))));

function engineWords(node) {
  const place = layerOf.get(node);
  if (place === undefined) return [];
  const layer = asBuilt.layers[place];
  const fixed = withFix && layerWithFix.has(node) ? withFix.layers[layerWithFix.get(node)] : null;
  const certain = layer.nodes.includes(node);
  return [
    el("h4", null, certain ? "Engine layer" : "Engine block that holds it, perhaps"),
    facts([
      ["layer", short(layer.name, 90)],
      ["fused nodes", whole(certain ? layer.nodes.length : layer.atMost.length)],
      ["precision", layer.precision || "not told"],
      ...(fixed ? [["with the fix", fixed.precision || "not told"]] : []),
      ["tactic", layer.tactic || "not told"],
      ...(layer.ms === null ? [] : [["time", `${number(layer.ms)} ms`]]),
    ]),
  ];
}

function neighbours(title, nodes) {
  if (!nodes.length) return [];
  const more = nodes.length - 8;
  return [
    el("h4", null, title),
    el("ul", null, ...nodes.slice(0, 8).map((node) => el("li", null, nodeLink(node, 48), ` ${opOf(node)}`)),
      more > 0 ? el("li", null, `and ${whole(more)} more`) : null),
  ];
}

function unfoldButton(words, node, side) {
  const folded = side.filter((other) => !shown.has(other)).length;
  return folded ? el("button", { type: "button", click: () => unfoldAll(node, side) }, `${words} (${folded})`) : null;
}

function valuesButton(node) {
  const place = data.values.findIndex((values) => values.node === node);
  const go = () => {
    showValues(place);
    byId("values").scrollIntoView();
  };
  return place < 0 ? null : el("button", { type: "button", click: go }, "Its values");
}

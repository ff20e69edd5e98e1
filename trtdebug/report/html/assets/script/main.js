// Starts everything, once the words of the page are on the screen.

/** Names in the page's words lead to their nodes. */
function linkNames() {
  const places = new Map();
  graph.writes.forEach((tensors, node) => tensors.forEach((tensor) => places.set(tensor, node)));
  graph.names.forEach((name, node) => places.set(name, node));
  for (const code of document.querySelectorAll("code.name")) {
    const node = places.get(code.dataset.name || code.textContent);
    if (node === undefined) continue;
    const go = () => {
      choose(node, true);
      byId("graph").scrollIntoView();
    };
    code.replaceWith(el("button", { type: "button", class: "link name", title: code.title || null, click: go }, code.textContent));
  }
}

function start() {
  startTheme();
  addCopyButtons();
  if (total) {
    startNodes();
    startDepth();
    startFind();
    startGraph();
    if (!plot) showNodes([0, total - 1]);
    linkNames();
  } else {
    say("graph-lead", "The model's graph is not at hand: neither the session nor the model's file tells it.");
    document.querySelector(".graph-and-details").hidden = true;
    say("depth-lead", "Without the graph the errors of single nodes can't be shown.");
  }
  startValues();
  startLayers();
  startSteps();
  document.documentElement.dataset.ready = "yes";
}

requestAnimationFrame(() => setTimeout(start));

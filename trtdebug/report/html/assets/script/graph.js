// The graph around the cause: shown nodes, the chosen one, zoom, and keys.

let shown = new Set();
let chosen = null;
let drawn = null; // what `arranged` gave

const view = byId("graph-view");
const stage = svg("g");
const camera = zoom().scaleExtent([0.08, 3])
  .filter(isForCamera)
  .on("zoom", (event) => stage.setAttribute("transform", event.transform));

/** The wheel and a single finger scroll the page. */
function isForCamera(event) {
  if (event.type === "wheel") return event.ctrlKey || event.metaKey;
  if (event.touches) return event.touches.length > 1;
  return !event.button && event.type !== "dblclick";
}

function startGraph() {
  byId("graph-tools").hidden = false;
  view.append(
    svg("defs", null, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
      svg("path", { class: "arrow", d: "M0,1 L7,4 L0,7 z" }))), stage);
  select(view).call(camera);
  view.addEventListener("click", (event) => withNode(event, (node) => choose(node)));
  view.addEventListener("dblclick", (event) => withNode(event, unfoldAll));
  view.addEventListener("keydown", onKey);
  view.addEventListener("focusin", (event) => withNode(event, (node) => node !== chosen && choose(node)));
  if (!hasCause) {
    say("graph-title", "The graph");
    byId("graph-cause").textContent = "Start";
  }
  byId("graph-cause").addEventListener("click", () => choose(startNode(), true));
  byId("graph-fit").addEventListener("click", fit);
  byId("graph-in").addEventListener("click", () => select(view).call(camera.scaleBy, 1.3));
  byId("graph-out").addEventListener("click", () => select(view).call(camera.scaleBy, 1 / 1.3));
  drawLegend();
  choose(startNode(), true);
}

function withNode(event, act) {
  const place = event.target.closest("[data-node]");
  if (place) act(Number(place.dataset.node));
}

/** Makes a node the chosen one. `travel`: shows its surroundings instead of what is shown now. */
function choose(node, travel = false) {
  const isNew = travel || !shown.has(node);
  if (isNew) shown = around(node);
  chosen = node;
  if (isNew) redraw();
  mark();
  if (isNew) centre(node);
  showDetails(node);
  pointTo(node);
}

function redraw() {
  drawn = arranged(shown);
  stage.replaceChildren(...drawn.layers.map(drawLayer), ...drawn.edges.map(drawEdge), ...drawn.nodes.map((place) => drawNode(place, shown)));
  say("graph-lead", `${many(shown.size, "node")} of ${whole(total)}, in the order of computation from top to bottom.`);
}

function mark() {
  for (const place of stage.querySelectorAll("[data-node]")) {
    const mine = Number(place.dataset.node) === chosen;
    place.classList.toggle("chosen", mine);
    place.setAttribute("tabindex", mine ? "0" : "-1");
    place.setAttribute("aria-pressed", String(mine));
  }
  for (const edge of stage.querySelectorAll(".edge")) {
    edge.classList.toggle("near", [edge.dataset.from, edge.dataset.to].map(Number).includes(chosen));
  }
}

const placeOf = (node) => drawn.nodes.find((place) => place.node === node);

function centre(node) {
  const { x, y } = placeOf(node);
  const box = view.getBoundingClientRect();
  const fits = Math.min(box.width / drawn.size.width, box.height / drawn.size.height);
  const scale = Math.min(1, Math.max(fits, 0.9));
  select(view).call(camera.transform, zoomIdentity.translate(box.width / 2 - x * scale, box.height / 2 - y * scale).scale(scale));
}

function fit() {
  const box = view.getBoundingClientRect();
  const { width, height } = drawn.size;
  const scale = Math.min(1, box.width / width, box.height / height);
  select(view).call(camera.transform, zoomIdentity.translate((box.width - width * scale) / 2, (box.height - height * scale) / 2).scale(scale));
}

/** Shows what is hidden next to a node, which stays where it is on the screen. */
function unfoldAll(node, side = nextTo(node)) {
  const old = placeOf(node);
  if (!unfold(node, shown, side)) return;
  redraw();
  mark();
  const now = placeOf(node);
  select(view).call(camera.translateBy, old.x - now.x, old.y - now.y);
  showDetails(node);
  focusNode(node);
}

function focusNode(node) {
  stage.querySelector(`[data-node="${node}"]`).focus({ preventScroll: true });
}

function onKey(event) {
  const node = Number(event.target.dataset?.node ?? NaN);
  if (Number.isNaN(node)) return;
  const go = { ArrowUp: () => step(before[node]), ArrowDown: () => step(after[node]), ArrowLeft: () => beside(node, -1), ArrowRight: () => beside(node, 1) }[event.key];
  const next = go && go();
  if (next !== undefined) {
    choose(next);
    keepInSight(next);
    focusNode(next);
  } else if (event.key === "Enter" || event.key === " ") {
    unfoldAll(node);
  } else if (!go) return;
  event.preventDefault();
}

const step = (places) => places.find((other) => shown.has(other));

/** The node left (-1) or right (1) of one, in its row. */
function beside(node, side) {
  const here = placeOf(node);
  const row = drawn.nodes.filter((place) => Math.abs(place.y - here.y) < BOX.height && (place.x - here.x) * side > 0);
  return row.sort((a, b) => Math.abs(a.x - here.x) - Math.abs(b.x - here.x))[0]?.node;
}

function keepInSight(node) {
  const box = view.getBoundingClientRect();
  const place = stage.querySelector(`[data-node="${node}"]`).getBoundingClientRect();
  const inside = place.left > box.left && place.right < box.right && place.top > box.top && place.bottom < box.bottom;
  if (!inside) centre(node);
}

// Which nodes are shown: those around a node, and what the reader unfolds.

const SHOWN_AT_FIRST = 60;
const UNFOLDED_AT_ONCE = 24;
const OF_A_HUB = 8;

/** Nodes next to one, the nearest in the model's order first; constants say little and stay away. */
function nextTo(node) {
  return [...before[node], ...after[node]].filter((other) => opOf(other) !== "Constant").sort((a, b) => Math.abs(a - node) - Math.abs(b - node));
}

/** The nodes around one by distance; of a node that many read only the nearest readers. */
function around(start, most = SHOWN_AT_FIRST) {
  const found = new Set([start]);
  let ring = [start];
  while (ring.length && found.size < most) {
    const next = [];
    for (const node of ring) {
      for (const other of nextTo(node).slice(0, OF_A_HUB)) {
        if (found.size >= most || found.has(other)) continue;
        found.add(other);
        next.push(other);
      }
    }
    ring = next;
  }
  return found;
}

const hidden = (node, shown) => nextTo(node).filter((other) => !shown.has(other));

/** Shows what is hidden next to a node; of a hub the nearest. Returns how many nodes came. */
function unfold(node, shown, side = nextTo(node)) {
  const fresh = side.filter((other) => !shown.has(other)).slice(0, UNFOLDED_AT_ONCE);
  for (const other of fresh) shown.add(other);
  return fresh.length;
}

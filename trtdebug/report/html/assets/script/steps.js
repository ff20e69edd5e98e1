// The search as it went: each trial, what it asked, and its verdict.

function startSteps() {
  if (!data.steps.length) {
    say("search-log-lead", "The session's trials are not at hand.");
    return;
  }
  const withStrip = data.steps.some((one) => one.strip);
  say("search-log-lead", withStrip
    ? "In the strip the nodes stand in topological order: violet were pinned, orange were left in low precision."
    : "Each trial in the order in which it was done.");
  const at = (place) => data.steps[place];
  makeTable(byId("search-log-table"), "Trials", [
    { title: "Trial", number: true, value: (place) => place, cell: (place) => whole(place + 1) },
    { title: "Stage", value: (place) => at(place).stage, cell: (place) => at(place).stage || "not known" },
    { title: "Asked", wide: true, cell: (place) => askedCell(at(place)) },
    ...(withStrip ? [{ title: "Nodes", cell: (place) => stripCell(at(place)) }] : []),
    { title: "Verdict", value: (place) => at(place).status, cell: (place) => el("span", { class: `pill ${at(place).status}` }, at(place).status) },
    { title: "Why", wide: true, cell: (place) => el("div", { class: "clamp", title: at(place).reason.length > 160 ? short(at(place).reason, 600) : null }, short(at(place).reason, 400)) },
    { title: "Time, s", number: true, value: (place) => at(place).seconds, cell: (place) => number(at(place).seconds) },
  ], { size: 20 }).show(data.steps.map((_, place) => place));
}

function askedCell(one) {
  const names = one.pins.map((node) => el("li", null, nodeLink(node, 60)));
  return el("div", { title: `trial ${one.trial.slice(0, 12)}, ${one.time}` }, short(one.purpose, 140),
    one.changes.length ? el("div", { class: "evidence" }, short(one.changes.slice(0, 6).join("; "), 300)) : null,
    names.length ? el("details", null, el("summary", null, one.left ? `${names.length} not pinned` : `${names.length} pinned`), el("ul", null, ...names)) : null);
}

function stripCell(one) {
  if (!one.strip) return "";
  const cells = one.strip.length;
  const words = `${whole(one.pinned)} of ${whole(total)} nodes pinned`;
  const kept = [...one.strip.matchAll(/([1-9x])\1*/g)].map(({ 0: run, 1: cell, index }) => {
    const part = cell === "x" ? 1 : Number(cell) / 10;
    return svg("rect", { class: "kept", x: index, y: 12 * (1 - part), width: run.length, height: 12 * part });
  });
  return svg("svg", { class: "strip", viewBox: `0 0 ${cells} 12`, preserveAspectRatio: "none", role: "img", "aria-label": words },
    svg("rect", { class: "bed", x: 0, y: 0, width: cells, height: 12 }), ...kept);
}

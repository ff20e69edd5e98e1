// Finds nodes by name, tensor or operator.

const MOST_MATCHES = 40;
let haystack = null; // by node, in lower case

function startFind() {
  const field = byId("search");
  const list = byId("search-list");
  let matches = [];
  let at = -1;

  field.addEventListener("input", update);
  field.addEventListener("focus", () => field.value && update());
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) update();
      point((at + (event.key === "ArrowDown" ? 1 : matches.length - 1)) % (matches.length || 1));
    } else if (event.key === "Enter" && matches.length) take(matches[Math.max(at, 0)]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });

  function update() {
    matches = found(field.value);
    at = -1;
    const items = matches.map((node, place) => el("li", {
      id: `match-${place}`, role: "option", "aria-selected": "false",
      mousedown: (event) => { event.preventDefault(); take(node); },
    }, el("b", { class: "mono" }, short(graph.names[node], 64)), el("span", null, culpritOf.has(node) ? `${opOf(node)}, culprit` : opOf(node))));
    const nothing = el("li", { class: "none", role: "option", "aria-selected": "false", "aria-disabled": "true" }, "Nothing has this in its name");
    list.replaceChildren(...(items.length ? items : [nothing]));
    open(field.value.trim() !== "");
  }

  function open(is) {
    list.hidden = !is;
    field.setAttribute("aria-expanded", String(is));
    if (!is) field.removeAttribute("aria-activedescendant");
  }

  function close() {
    open(false);
  }

  function point(place) {
    if (!matches.length) return;
    list.children[at]?.setAttribute("aria-selected", "false");
    at = place;
    list.children[at].setAttribute("aria-selected", "true");
    list.children[at].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", `match-${at}`);
  }

  function take(node) {
    field.value = short(graph.names[node], 200);
    close();
    choose(node, true);
  }
}

/** Nodes with the text in their name, tensors or operator: culprits first, then where the name begins or ends so. */
function found(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  haystack ||= graph.names.map((name, node) => [name, opOf(node), ...graph.writes[node]].join("\n").toLowerCase());
  const rank = (node) => {
    const name = graph.names[node].toLowerCase();
    return 4 * Number(name === wanted) + 2 * Number(culpritOf.has(node)) + Number(name.startsWith(wanted) || name.endsWith(wanted));
  };
  const all = [];
  for (let node = 0; node < total; node += 1) if (haystack[node].includes(wanted)) all.push([rank(node), node]);
  return all.sort(([a, x], [b, y]) => b - a || x - y).slice(0, MOST_MATCHES).map(([, node]) => node);
}

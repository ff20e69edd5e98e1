// Elements by parts. Text is only ever set as text.

const { graphlib, layout, select, zoom, zoomIdentity, uPlot } = globalThis.libraries;

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
const el = (name, attributes, ...children) => made(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) =>
  made(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

/** Puts these in the place of all that an element has; null is left out. */
const fill = (element, ...children) => element.replaceChildren(...children.filter((child) => child !== null));

const byId = (name) => document.getElementById(name);
const say = (name, words) => (byId(name).textContent = words);

/** A node's name that leads to it. */
function nodeLink(node, longest = 60) {
  const name = graph.names[node];
  const title = name.length > longest ? short(name, 600) : null;
  return el("button", { type: "button", class: "link name", title, click: () => choose(node, true) }, short(name, longest));
}

/** Under every command a button that copies it. */
function addCopyButtons() {
  for (const line of document.querySelectorAll(".command")) {
    const button = el("button", { type: "button", "aria-label": "Copy the command" }, "Copy");
    button.addEventListener("click", () => copy(line.querySelector("code"), button));
    line.append(button);
  }
}

async function copy(code, button) {
  const chosen = document.createRange();
  chosen.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(chosen);
  if (!navigator.clipboard) {
    button.textContent = "Selected";
    return;
  }
  await navigator.clipboard.writeText(code.textContent).then(
    () => (button.textContent = "Copied"),
    () => (button.textContent = "Selected"), // the browser forbids it: it is selected, to be copied by hand
  );
}

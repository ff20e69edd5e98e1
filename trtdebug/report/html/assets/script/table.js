// A table of any length: sorted by its heads, a page at a time.

/**
 * columns: { title, number, wide, value: row => to sort by, cell: row => node or string }; without `value` it is not sorted.
 * Returns { show(rows) }.
 */
function makeTable(place, label, columns, { size = 15, sort = null, rowClass = () => "" } = {}) {
  let rows = [];
  let page = 0;
  let order = sort; // { column, down }

  const body = el("tbody");
  const heads = columns.map((column, at) => head(column, at));
  const words = el("span");
  const back = el("button", { type: "button", click: () => turn(-1) }, "Back");
  const on = el("button", { type: "button", click: () => turn(1) }, "Next");
  const pages = el("div", { class: "pages" }, back, on, words);
  const table = el("table", { "aria-label": label }, el("thead", null, el("tr", null, ...heads)), body);
  place.replaceChildren(
    el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": label }, table), pages);

  function head(column, at) {
    const content = column.value ? el("button", { type: "button", click: () => sortBy(at) }, column.title) : column.title;
    return el("th", { scope: "col", class: kind(column) }, content);
  }

  function sortBy(column) {
    order = { column, down: order && order.column === column ? !order.down : Boolean(columns[column].number) };
    arrange();
  }

  function arrange() {
    if (order) {
      const value = columns[order.column].value;
      const sign = order.down ? -1 : 1;
      const keys = new Map(rows.map((row) => [row, value(row)]));
      rows.sort((a, b) => compare(keys.get(a), keys.get(b), sign));
    }
    heads.forEach((th, at) => {
      const mine = order && order.column === at;
      th.setAttribute("aria-sort", mine ? (order.down ? "descending" : "ascending") : "none");
      if (!columns[at].value) return th.removeAttribute("aria-sort");
      th.firstChild.textContent = columns[at].title + (mine ? (order.down ? " ↓" : " ↑") : "");
    });
    page = 0;
    draw();
  }

  function turn(by) {
    page += by;
    draw();
  }

  function draw() {
    const first = page * size;
    const shown = rows.slice(first, first + size);
    body.replaceChildren(...shown.map((row) => el("tr", { class: rowClass(row) || null },
      ...columns.map((column) => el("td", { class: kind(column) }, column.cell(row))))));
    pages.hidden = rows.length <= size;
    back.disabled = page === 0;
    on.disabled = first + size >= rows.length;
    words.textContent = `${whole(first + 1)} to ${whole(first + shown.length)} of ${whole(rows.length)}`;
  }

  return {
    show(given) {
      rows = [...given];
      arrange();
    },
  };
}

const kind = (column) => (column.number ? "number" : column.wide ? "wide" : null);

/** What is not known (NaN, null) comes last, whichever way it is sorted. */
function compare(a, b, sign) {
  const none = (value) => value === null || Number.isNaN(value);
  if (none(a) || none(b)) return Number(none(a)) - Number(none(b));
  return a < b ? -sign : a > b ? sign : 0;
}

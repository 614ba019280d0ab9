/* Comfort on top of pages that can be read without it: sorting, filtering, copying, opening what a link points into. */
(() => {
  "use strict";
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  /* A number as pages print it, with whatever follows it: an interval, a unit. */
  const printed = /^([+−-]?)([\d\u202f]+(?:\.\d+)?)(?:e(−?)(\d+))?(?=$|\s)/;
  const numberOf = (text) => {
    const found = printed.exec(text);
    if (!found) return null;
    const [, sign, digits, down, power] = found;
    const size = Number(digits.replaceAll("\u202f", "") + (power ? `e${down ? "-" : ""}${power}` : ""));
    return sign === "−" || sign === "-" ? -size : size;
  };

  /* What a cell is sorted by: its full value, else its text; nothing for what is undefined. */
  const keyOf = (cell) => {
    if (!cell) return null;
    const told = cell.dataset.value ?? cell.querySelector("data")?.value;
    if (told !== undefined) {
      const number = Number(told);
      return Number.isNaN(number) ? told : number;
    }
    if (cell.classList.contains("undefined") || cell.querySelector(".undefined")) return null;
    const text = cell.textContent.trim();
    return numberOf(text) ?? (text || null);
  };

  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return collator.compare(a, b);
  };

  const sort = (table, column, descending) => {
    const body = table.tBodies[0];
    const keyed = Array.from(body.rows, (row, at) => ({ row, at, key: keyOf(row.cells[column]) }));
    const turn = descending ? -1 : 1;
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.at - b.at;
      return turn * compare(a.key, b.key) || a.at - b.at;
    });
    const sorted = document.createDocumentFragment();
    for (const { row } of keyed) sorted.append(row);
    body.replaceChildren(sorted);
  };

  const makeSortable = (table) => {
    const head = table.tHead?.rows[table.tHead.rows.length - 1];
    if (!head || !table.tBodies.length || table.tBodies[0].rows.length < 2) return;
    Array.from(head.cells).forEach((cell, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const first = cell.dataset.first === "descending" ? "descending" : "ascending";
        const other = first === "ascending" ? "descending" : "ascending";
        const way = cell.getAttribute("aria-sort") === first ? other : first;
        for (const one of head.cells) one.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", way);
        sort(table, column, way === "descending");
      });
    });
  };

  /* Of a very long table the first rows are laid out, so that it sorts at once; all of them on request, and on paper. */
  const LONG = 300;
  const makeShort = (table) => {
    const count = table.tBodies[0]?.rows.length ?? 0;
    if (count <= LONG) return;
    const button = document.createElement("button");
    const fold = (folded) => { table.classList.toggle("folded", folded); button.hidden = !folded; };
    button.type = "button";
    button.className = "unfold";
    button.textContent = `Show all ${count} rows`;
    button.addEventListener("click", () => { table.dataset.unfolded = ""; fold(false); });
    table.addEventListener("narrowed", ({ detail }) => fold(!detail && !("unfolded" in table.dataset)));
    (table.closest(".scroll") ?? table).after(button);
    addEventListener("beforeprint", () => fold(false));
    fold(true);
  };

  /* A form with `data-filter="<id of a table>"`; each select or input with `data-facet` asks the rows' data
     of that name, else the column of that name. */
  const makeFilter = (form) => {
    const table = document.getElementById(form.dataset.filter);
    if (!table || !table.tBodies.length) return;
    const rows = Array.from(table.tBodies[0].rows);
    const words = rows.map((row) => row.textContent.toLowerCase());
    const asked = Array.from(form.querySelectorAll("[data-facet]"));
    const columns = new Map(Array.from(table.tHead?.rows[0]?.cells ?? [], (cell, at) => [cell.dataset.facet, at]));
    const facet = (row, name) => row.dataset[name] ?? row.cells[columns.get(name)]?.textContent.replaceAll("\u00a0", " ");
    const said = form.querySelector("[data-count]");
    const apply = () => {
      let shown = 0;
      rows.forEach((row, at) => {
        const fits = asked.every(({ dataset, value }) =>
          value === "" ||
          (dataset.facet === "text" ? words[at].includes(value.trim().toLowerCase()) : facet(row, dataset.facet) === value));
        row.hidden = !fits;
        shown += fits;
      });
      table.dispatchEvent(new CustomEvent("narrowed", { detail: shown < rows.length }));
      if (said) said.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
    };
    const remember = () => {
      const told = new URLSearchParams();
      for (const one of asked) if (one.value !== "") told.set(one.dataset.facet, one.value);
      const hash = told.toString();
      history.replaceState(null, "", hash ? `#${form.dataset.filter}?${hash}` : location.pathname + location.search);
    };
    const [named, query] = decodeURI(location.hash.slice(1)).split("?");
    if (named === form.dataset.filter && query) {
      const told = new URLSearchParams(query);
      for (const one of asked) one.value = told.get(one.dataset.facet) ?? "";
    }
    form.addEventListener("input", () => { apply(); remember(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => { apply(); remember(); }));
    form.hidden = false;
    apply();
  };

  const copied = async (text, block) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(block);
      const chosen = getSelection();
      chosen.removeAllRanges();
      chosen.addRange(range);
      return document.execCommand("copy");
    }
    return true;
  };

  const makeCopy = (box) => {
    const block = box.querySelector("code") ?? box;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      button.textContent = (await copied(block.textContent, block)) ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(button);
  };

  /* A link into something that is folded away unfolds it. */
  const reveal = () => {
    const id = decodeURIComponent(location.hash.slice(1).split("?")[0]);
    for (let node = id && document.getElementById(id); node; node = node.parentElement) {
      if (node instanceof HTMLDetailsElement) node.open = true;
    }
  };

  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  document.querySelectorAll("table[data-sortable]").forEach(makeShort);
  document.querySelectorAll("form[data-filter]").forEach(makeFilter);
  document.querySelectorAll("[data-copy]").forEach(makeCopy);
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
  reveal();
})();

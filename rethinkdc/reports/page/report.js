"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // -- colours: a figure names variables of the style sheet, plotly.js wants their values --------------------------
  function resolve(value, style) {
    if (typeof value === "string") {
      const variable = /^var\((--[\w-]+)\)$/.exec(value);
      return variable ? style.getPropertyValue(variable[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((one) => resolve(one, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolve(one, style)]));
    }
    return value;
  }

  // -- legends: buttons that show and hide a trace -------------------------------------------------------------------
  const OUTLINES = {
    "circle": "M8 3a5 5 0 1 0 .01 0z",
    "square": "M3.5 3.5h9v9h-9z",
    "hatched": "M3 7.500L7.500 3h3L3 10.500zM3.500 13L13 3.500v3L6.500 13zM9.500 13L13 9.500V13z",
    "diamond": "M8 2l6 6-6 6-6-6z",
    "triangle-up": "M8 2l6 11H2z",
    "triangle-down": "M8 14L2 3h12z",
    "x": "M3 5l2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z",
    "cross": "M6.2 2h3.6v4.2H14v3.6H9.800V14H6.200V9.800H2V6.200h4.200z",
    "star": "M8 1.500l2 4.600 5 .4-3.800 3.300 1.200 4.900L8 12.100l-4.400 2.600 1.200-4.900L1 6.500l5-.4z",
    "line": "M0 7h16v2H0z",
    "dash": "M0 7h6v2H0zM10 7h6v2h-6z",
  };

  function swatch(entry, style) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", OUTLINES[entry.mark]);
    path.setAttribute("fill", resolve(entry.colour, style));
    svg.append(path);
    return svg;
  }

  function fillLegend(list, entries, plot, style) {
    const hidden = new Set(all("button[aria-pressed=false]", list).map((button) => button.dataset.trace));
    list.replaceChildren(...entries.map((entry) => {
      const item = document.createElement("li");
      const name = document.createElement("bdi");
      name.append(...entry.pieces.flatMap((piece) => [piece, document.createElement("wbr")]));
      if (entry.trace === undefined) {
        item.append(swatch(entry, style), name);
        return item;
      }
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.trace = entry.trace;
      button.setAttribute("aria-pressed", String(!hidden.has(String(entry.trace))));
      button.append(swatch(entry, style), name);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(shown));
        Plotly.restyle(plot, { visible: shown }, [entry.trace]);
      });
      item.append(button);
      return item;
    }));
  }

  // -- plots: drawn when they come near the window, and all of them for paper ----------------------------------------
  function draw(plot) {
    const style = getComputedStyle(document.documentElement);
    const figure = figures[plot.dataset.figure];
    const { data, layout } = resolve({ data: figure.data, layout: figure.layout }, style);
    const list = plot.parentElement.querySelector(".legend");
    fillLegend(list, figure.legend, plot, style);
    for (const button of all("button[aria-pressed=false]", list)) data[button.dataset.trace].visible = false;
    plot.dataset.drawn = "begun";
    const settings = { responsive: true, displayModeBar: false };
    Plotly.react(plot, data, layout, settings).then(() => { plot.dataset.drawn = "yes"; });
  }
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px" });
  for (const plot of all(".plot")) near.observe(plot);
  const redraw = () => all(".plot[data-drawn]").forEach(draw);
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printed");
    for (const plot of all(".plot")) {
      if (plot.closest("[hidden]")) continue;
      near.unobserve(plot);
      draw(plot);
    }
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printed");
    redraw();
  });

  // -- boards: sorted by a press on a head -----------------------------------------------------------------------------
  function compare(one, other) {
    const numbers = [Number(one), Number(other)];
    if (numbers.some(Number.isNaN)) return one < other ? -1 : one > other ? 1 : 0;
    return numbers[0] - numbers[1];
  }
  function sort(head) {
    const table = head.closest("table");
    const body = table.tBodies[0];
    const place = [...head.parentElement.children].indexOf(head);
    // Numbers are read from the largest on, ranks and names from the first.
    const first = head.classList.contains("text") || head.textContent.trim() === "rank" ? "ascending" : "descending";
    const now = head.getAttribute("aria-sort");
    const order = now === "none" ? first : now === "ascending" ? "descending" : "ascending";
    for (const other of head.parentElement.children) other.setAttribute("aria-sort", other === head ? order : "none");
    const sign = order === "ascending" ? 1 : -1;
    const keyed = [...body.rows].map((row) => [row.cells[place].dataset.value, row]);
    keyed.sort(([one], [other]) => {
      if (one === undefined || other === undefined) return (one === undefined) - (other === undefined);
      return sign * compare(one, other);
    });
    body.append(...keyed.map(([, row]) => row));
  }
  for (const button of all("thead button")) button.addEventListener("click", () => sort(button.parentElement));

  // -- filters ---------------------------------------------------------------------------------------------------------
  const form = document.querySelector(".facets");
  const facets = all("select[data-facet]");
  function admitted(element) {
    return facets.every(({ value, dataset: { facet } }) => {
      if (!value) return true;
      const found = element.dataset[facet];
      if (facet === "dataset") return found === value;
      const held = JSON.parse(found);
      return !held.length || held.includes(value);
    });
  }
  function filter() {
    const words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const says = ({ dataset: { text } }) => text === undefined || words.every((word) => text.includes(word));
    let shown = 0, rows = 0;
    for (const board of all(".board")) {
      const admits = admitted(board);
      let any = false;
      for (const row of board.querySelector("tbody").rows) {
        row.hidden = !(admits && says(row));
        any ||= !row.hidden;
        shown += !row.hidden;
        rows += 1;
      }
      board.hidden = !any;
    }
    for (const figure of all("figure")) figure.hidden = !(admitted(figure) && says(figure));
    document.querySelector(".nothing").hidden = shown > 0;
    document.getElementById("count").textContent = shown === rows ? `${rows} rows` : `${shown} of ${rows} rows`;
  }
  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  filter();
  document.documentElement.dataset.ready = "yes";
})();

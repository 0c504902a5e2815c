(function () {
  "use strict";
  var root = document.documentElement;
  var LARGE = 20; // rows above which a table has a box of its own to filter by
  var collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  function make(tag, about) {
    var node = document.createElement(tag);
    Object.keys(about || {}).forEach(function (key) { node[key] = about[key]; });
    return node;
  }

  function box(label, change) {
    var frame = make("label", { textContent: label + " " });
    var input = make("input", { type: "search" });
    input.addEventListener("input", function () { change(input.value); });
    frame.append(input);
    return frame;
  }

  // A table as it was given: its heads, and its bodies with their rows, for sorting back.
  function Grid(table) {
    var self = this;
    this.table = table;
    this.heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    this.order = Array.from(table.tBodies).map(function (body) { return [body, Array.from(body.rows)]; });
    this.rows = this.order.reduce(function (all, pair) { return all.concat(pair[1]); }, []);
    this.blocks = this.rows.filter(function (row) { return row.className === "block"; });
    this.rows = this.rows.filter(function (row) { return row.className !== "block"; });
    this.texts = this.rows.map(function (row) { return row.textContent.toLowerCase(); });
    this.own = "";
    this.heads.forEach(function (head, at) {
      var button = make("button", { type: "button", className: "sort", title: "Sort" });
      button.append.apply(button, Array.from(head.childNodes));
      head.append(button);
      button.addEventListener("click", function () { self.turn(at); });
    });
  }

  // Ascending, descending, as given.
  Grid.prototype.turn = function (at) {
    var head = this.heads[at];
    var next = { ascending: "descending", descending: "" }[head.getAttribute("aria-sort")];
    if (next === undefined) next = "ascending";
    this.heads.forEach(function (one) { one.removeAttribute("aria-sort"); });
    this.blocks.forEach(function (row) { row.hidden = Boolean(next); }); // a sorted table has no blocks
    if (!next) {
      this.order.forEach(function (pair) { pair[0].append.apply(pair[0], pair[1]); });
      return;
    }
    head.setAttribute("aria-sort", next);
    this.order[0][0].append.apply(this.order[0][0], this.sorted(at, next === "ascending" ? 1 : -1));
  };

  // The rows by one column: by its raw numbers where it has any, else by its text; rows without either are last.
  Grid.prototype.sorted = function (at, sign) {
    var numeric = this.rows.some(function (row) { return row.cells[at].dataset.value !== undefined; });
    var keyed = this.rows.map(function (row, place) {
      var cell = row.cells[at], text = cell.textContent.trim();
      var value = numeric ? Number(cell.dataset.value) : text;
      return { row: row, place: place, value: value, none: numeric ? isNaN(value) : !text || text === "\u2013" };
    });
    keyed.sort(function (a, b) {
      if (a.none || b.none) return a.none - b.none || a.place - b.place;
      var by = numeric ? (a.value < b.value ? -1 : a.value > b.value ? 1 : 0) : collator.compare(a.value, b.value);
      return sign * by || a.place - b.place;
    });
    return keyed.map(function (one) { return one.row; });
  };

  var shared = "";
  Grid.prototype.filter = function () {
    var words = (this.own + " " + shared).toLowerCase().split(/\s+/).filter(Boolean), texts = this.texts, left = 0;
    this.rows.forEach(function (row, at) {
      var kept = words.every(function (word) { return texts[at].includes(word); });
      row.classList.toggle("filtered", !kept);
      left += kept;
    });
    this.blocks.forEach(function (row) { row.classList.toggle("filtered", words.length > 0); });
    if (this.said) this.said.textContent = words.length ? left + " of " + this.rows.length + " rows" : "";
  };

  var grids = Array.from(document.querySelectorAll(".scroll > table")).map(function (table) { return new Grid(table); });
  grids.forEach(function (grid) {
    if (grid.rows.length <= LARGE) return;
    var frame = make("div", { className: "filter" });
    grid.said = make("output");
    frame.append(box("Filter rows:", function (value) { grid.own = value; grid.filter(); }), grid.said);
    grid.table.parentNode.before(frame);
  });

  // Tools of the whole page.
  var tools = document.getElementById("tools");
  tools.hidden = !document.querySelector(".table .scroll");
  tools.append(box("Filter all tables:", function (value) {
    shared = value;
    grids.forEach(function (grid) { grid.filter(); });
  }));
  if (document.querySelector("tr.control")) {
    var label = make("label"), hide = make("input", { type: "checkbox", id: "hide-controls" });
    hide.addEventListener("change", function () { root.classList.toggle("without-controls", hide.checked); });
    label.append(hide, " hide controls");
    tools.append(label);
  }
  tools.append(make("span", { className: "small", textContent: "Sort: click a column's head; a third click restores." }));

  // What a cell knows beyond its text, for those who cannot hover.
  var hint = make("div", { className: "hint", hidden: true });
  hint.setAttribute("role", "status");
  document.body.append(hint);
  document.addEventListener("click", function (event) {
    var cell = event.target.closest ? event.target.closest("[data-hint]") : null;
    hint.hidden = !cell;
    if (cell) hint.textContent = cell.dataset.hint;
  });

  // Search over the titles of all pages, tables and figures.
  var entries = JSON.parse(document.getElementById("index").textContent);
  var search = document.getElementById("search"), field = search.querySelector("input"), list = search.querySelector("ul");
  var MOST = 14;
  search.hidden = false;
  field.addEventListener("input", function () {
    var words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    var hits = words.length ? entries.filter(function (one) {
      var text = (one[0] + " " + one[1]).toLowerCase();
      return words.every(function (word) { return text.includes(word); });
    }) : [];
    list.replaceChildren.apply(list, hits.slice(0, MOST).map(function (one) {
      var item = make("li"), link = make("a", { textContent: one[0] });
      link.setAttribute("href", one[2]);
      item.append(link, make("span", { textContent: " " + one[1] }));
      return item;
    }));
    if (hits.length > MOST) list.append(make("li", { textContent: (hits.length - MOST) + " more" }));
    if (words.length && !hits.length) list.append(make("li", { textContent: "nothing found" }));
    list.hidden = !words.length;
  });
  field.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { field.value = ""; list.hidden = true; }
    if (event.key === "Enter" && list.querySelector("a")) list.querySelector("a").click();
  });
  document.addEventListener("click", function (event) {
    if (!search.contains(event.target)) list.hidden = true;
    document.querySelectorAll("nav.site details[open]").forEach(function (one) {
      if (!one.contains(event.target)) one.open = false;
    });
  });

  function reveal() {
    var id = decodeURIComponent(location.hash.slice(1)), node = id && document.getElementById(id);
    if (!node) return;
    for (var one = node; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    var folded = node.classList.contains("table") && node.querySelector("details");
    if (folded) folded.open = true;
    node.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  reveal();

  var closed = [];
  window.addEventListener("beforeprint", function () {
    closed = Array.from(document.querySelectorAll("main details:not([open])"));
    closed.forEach(function (one) { one.open = true; });
  });
  window.addEventListener("afterprint", function () { closed.forEach(function (one) { one.open = false; }); });
})();

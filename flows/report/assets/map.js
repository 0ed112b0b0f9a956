// The map of cells: zoom and pan by buttons, keys, wheel, drag and pinch; lines of the grid; a table.
"use strict";
(function () {
  const COLUMNS = 348;
  const NARROWEST = 1.5;
  const ROWS_AT_ONCE = window.terrapair.cellsAtOnce;
  const cells = window.terrapair.cells.map(function (row) {
    return { id: row[0], x: row[1], y: row[2], seen: row[3], kept: row[4], chips: row[5], pairs: row[6], zone: row[7] };
  });
  const parallels = window.terrapair.parallels;
  const box = document.getElementById("ground");
  const frame = box.querySelector(".map-frame");
  const svg = frame.querySelector("svg");
  const chosen = svg.querySelector(".chosen");
  const status = box.querySelector(".chosen-cell");
  const place = document.getElementById("place");
  const all = box.dataset.view.split(" ").map(Number);
  const byPlace = new Map(cells.map(function (cell) { return [cell.x + ":" + cell.y, cell]; }));
  let view;

  function make(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key of Object.keys(attributes)) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function number(value) { return value.toLocaleString("en"); }

  // Widens a part of the map to the shape of its frame.
  function fit(part) {
    const shape = Math.max(1, frame.clientWidth) / Math.max(1, frame.clientHeight);
    let [x, y, width, height] = part;
    if (width / height < shape) {
      x -= (height * shape - width) / 2;
      width = height * shape;
    } else {
      y -= (width / shape - height) / 2;
      height = width / shape;
    }
    return { x: x, y: y, width: width, height: height };
  }

  function show(part) {
    const widest = COLUMNS * 1.2;
    const width = Math.min(Math.max(part.width, NARROWEST), widest);
    const scale = width / part.width;
    const height = part.height * scale;
    const x = part.x + (part.width - width) / 2;
    const y = part.y + (part.height - height) / 2;
    view = {
      x: Math.min(Math.max(x, -width / 2), COLUMNS - width / 2),
      y: Math.min(Math.max(y, -height / 2), 148 - height / 2),
      width: width,
      height: height,
    };
    svg.setAttribute("viewBox", [view.x, view.y, view.width, view.height].join(" "));
    drawLines();
  }

  function drawLines() {
    const lines = svg.querySelector(".lines");
    const labels = svg.querySelector(".labels");
    const px = view.width / Math.max(1, frame.clientWidth);
    const west = (view.x / COLUMNS) * 360 - 180;
    const east = ((view.x + view.width) / COLUMNS) * 360 - 180;
    const step = [1, 2, 5, 10, 30].find(function (one) { return (east - west) / one <= 6; }) || 60;
    lines.replaceChildren();
    labels.replaceChildren();
    for (let lon = Math.ceil(west / step) * step; lon <= east; lon += step) {
      if (lon < -180 || lon > 180) continue;
      const x = ((lon + 180) / 360) * COLUMNS;
      lines.append(make("path", { d: "M" + x + " 0V148" }));
      labels.append(make("text", { x: x + 3 * px, y: view.y + view.height - 4 * px, "font-size": 11 * px }, degrees(lon, "E", "W")));
    }
    parallels.forEach(function (y, place) {
      const lat = 85 - place;
      if (lat % step || y < view.y || y > view.y + view.height) return;
      lines.append(make("path", { d: "M0 " + y + "H" + COLUMNS }));
      if (y > view.y + view.height - 18 * px) return;
      labels.append(make("text", { x: view.x + 4 * px, y: y - 3 * px, "font-size": 11 * px }, degrees(lat, "N", "S")));
    });
  }

  function degrees(value, positive, negative) {
    return Math.abs(value) + "°" + (value > 0 ? positive : value < 0 ? negative : "");
  }

  function zoom(factor, x, y) {
    const atX = x === undefined ? view.x + view.width / 2 : x;
    const atY = y === undefined ? view.y + view.height / 2 : y;
    const width = Math.min(Math.max(view.width * factor, NARROWEST), COLUMNS * 1.2);
    const real = width / view.width;
    show({ x: atX - (atX - view.x) * real, y: atY - (atY - view.y) * real, width: width, height: view.height * real });
  }

  function move(x, y) {
    show({ x: view.x + x * view.width, y: view.y + y * view.height, width: view.width, height: view.height });
  }

  function choose(cell) {
    chosen.setAttribute("x", cell.x);
    chosen.setAttribute("y", cell.y);
    chosen.setAttribute("visibility", "visible");
    status.replaceChildren();
    const name = document.createElement("strong");
    name.textContent = cell.id;
    const link = document.createElement("a");
    link.href = "pairs.html#cell=" + encodeURIComponent(cell.id);
    link.textContent = "its pairs";
    status.append(name, (cell.zone ? " (" + cell.zone + ")" : "") + ": " + number(cell.kept) + " photos kept of " + number(cell.seen) + " seen, " + number(cell.chips) + " chips, " + number(cell.pairs) + " pairs; ", link);
  }

  function pointOf(event) {
    const frameBox = frame.getBoundingClientRect();
    return {
      x: view.x + ((event.clientX - frameBox.left - frame.clientLeft) / frame.clientWidth) * view.width,
      y: view.y + ((event.clientY - frameBox.top - frame.clientTop) / frame.clientHeight) * view.height,
    };
  }

  // Pointers: one drags, two pinch, and one that hardly moved chooses a cell.
  const held = new Map();
  let moved = 0;
  frame.addEventListener("pointerdown", function (event) {
    if (event.button !== 0) return;
    frame.setPointerCapture(event.pointerId);
    if (!held.size) moved = 0;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  frame.addEventListener("pointermove", function (event) {
    const before = held.get(event.pointerId);
    if (!before) return;
    const others = [...held].filter(function (one) { return one[0] !== event.pointerId; });
    const now = { x: event.clientX, y: event.clientY };
    moved += Math.hypot(now.x - before.x, now.y - before.y);
    held.set(event.pointerId, now);
    if (others.length === 1) {
      const other = others[0][1];
      const was = Math.hypot(before.x - other.x, before.y - other.y);
      const is = Math.hypot(now.x - other.x, now.y - other.y);
      const middle = pointOf({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 });
      if (is > 0) zoom(was / is, middle.x, middle.y);
    } else if (!others.length && moved > 4) {
      move((before.x - now.x) / frame.clientWidth, (before.y - now.y) / frame.clientHeight);
    }
  });
  function release(event) {
    if (!held.delete(event.pointerId)) return;
    if (event.type !== "pointerup" || held.size || moved > 4) return;
    const at = pointOf(event);
    const cell = byPlace.get(Math.floor(at.x) + ":" + Math.floor(at.y));
    if (cell) choose(cell);
  }
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  // The wheel belongs to the page until the map is used.
  frame.addEventListener("wheel", function (event) {
    if (!event.ctrlKey && document.activeElement !== frame) return;
    event.preventDefault();
    const at = pointOf(event);
    zoom(event.deltaY > 0 ? 1.25 : 0.8, at.x, at.y);
  }, { passive: false });
  frame.addEventListener("keydown", function (event) {
    const keys = {
      ArrowLeft: function () { move(-0.15, 0); },
      ArrowRight: function () { move(0.15, 0); },
      ArrowUp: function () { move(0, -0.15); },
      ArrowDown: function () { move(0, 0.15); },
      "+": function () { zoom(0.67); },
      "=": function () { zoom(0.67); },
      "-": function () { zoom(1.5); },
      "0": function () { show(fit(all)); },
    };
    if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  box.querySelectorAll("[data-zoom]").forEach(function (button) {
    button.addEventListener("click", function () {
      if (button.dataset.zoom === "in") zoom(0.67);
      else if (button.dataset.zoom === "out") zoom(1.5);
      else { place.value = ""; show(fit(all)); }
    });
  });
  place.addEventListener("change", function () {
    show(fit(place.value ? place.value.split(" ").map(Number) : all));
  });
  let known = 0;
  window.addEventListener("resize", function () {
    if (!frame.clientWidth || frame.clientWidth === known) return;
    known = frame.clientWidth;
    show(fit([view.x, view.y, view.width, view.height]));
  });

  // The table: the same cells, a page at a time.
  const body = document.querySelector("#cells tbody");
  const pager = document.getElementById("cells-pager");
  let page = 0;
  function fill() {
    const pages = Math.max(1, Math.ceil(cells.length / ROWS_AT_ONCE));
    body.replaceChildren();
    cells.slice(page * ROWS_AT_ONCE, (page + 1) * ROWS_AT_ONCE).forEach(function (cell) {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = cell.id;
      row.append(head);
      [cell.zone || "—", cell.seen, cell.kept, cell.chips, cell.pairs].forEach(function (value) {
        const field = document.createElement("td");
        if (typeof value === "number") field.className = "number";
        field.textContent = typeof value === "number" ? number(value) : value;
        row.append(field);
      });
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Show";
      button.setAttribute("aria-label", "Show " + cell.id + " on the map");
      button.addEventListener("click", function () {
        show(fit([cell.x - 2, cell.y - 2, 5, 5]));
        choose(cell);
        box.scrollIntoView({ block: "nearest" });
      });
      const field = document.createElement("td");
      field.append(button);
      row.append(field);
      body.append(row);
    });
    pager.hidden = pages === 1;
    pager.querySelector("p").textContent = "Page " + (page + 1) + " of " + pages;
    pager.querySelector('[data-step="-1"]').disabled = page === 0;
    pager.querySelector('[data-step="1"]').disabled = page === pages - 1;
  }
  pager.querySelectorAll("button").forEach(function (button) {
    button.addEventListener("click", function () {
      page += Number(button.dataset.step);
      fill();
    });
  });

  known = frame.clientWidth;
  show(fit(all));
  fill();
})();

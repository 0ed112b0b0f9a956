// The browser of pairs: filters, pages, a viewer. All text goes in as text, never as markup.
"use strict";
(function () {
  const CARDS = 12;
  const GAPS = [[0, "the same day"], [1, "up to 1 day"], [3, "up to 3 days"], [7, "up to 7 days"], [30, "up to 30 days"], [365, "up to a year"]];
  const index = window.terrapair.index;
  const chips = index.chips.map(function (row, place) {
    return { place: place, sensor: index.sensors[row[0]], cell: index.cells[row[1]], pairs: row[2].map(function (pair) { return { split: index.splits[pair[0]], gap: Math.abs(pair[1]) }; }) };
  });
  const form = document.getElementById("filters");
  const list = document.getElementById("chips");
  const pager = document.getElementById("pager");
  const viewer = document.getElementById("viewer");
  const boxes = ["sensor", "cell", "split", "gap"].map(function (name) { return document.getElementById(name); });
  const state = { sensor: "", cell: "", split: "", gap: "", page: 0 };
  let found = [];
  let open = -1;
  let drawn = 0;

  // ---- data: a file for some chips at a time, loaded when they are looked at
  const files = new Map();
  window.terrapair.receive = function (number, rows) { files.get(number).rows = rows; };
  function load(number) {
    if (!files.has(number)) {
      const one = { rows: null };
      one.done = new Promise(function (resolve, reject) {
        const script = document.createElement("script");
        script.src = "data/pairs-" + String(number).padStart(4, "0") + ".js";
        script.onload = function () { resolve(); };
        script.onerror = function () { files.delete(number); reject(new Error(script.src)); };
        document.head.append(script);
      });
      files.set(number, one);
    }
    return files.get(number).done;
  }
  function details(chip) {
    return load(Math.floor(chip.place / index.chipsInFile)).then(function () {
      return files.get(Math.floor(chip.place / index.chipsInFile)).rows[chip.place % index.chipsInFile];
    });
  }

  // ---- making elements
  function make(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function shape(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key of Object.keys(attributes)) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return made;
  }
  function number(value) { return value.toLocaleString("en"); }
  function days(value) {
    if (value === null) return "no scene";
    if (value === 0) return "same day";
    return number(Math.abs(value)) + (Math.abs(value) === 1 ? " day " : " days ") + (value < 0 ? "before" : "after");
  }
  function picture(source, alt, width, height, why) {
    const box = make("div", "picture");
    if (source === null) {
      box.append(make("p", "no-picture", "No picture: " + why + "."));
      return box;
    }
    const image = make("img");
    image.alt = alt;
    image.width = width;
    image.height = height;
    image.loading = "lazy";
    image.decoding = "async";
    image.addEventListener("error", function () { box.replaceChildren(make("p", "no-picture", "No picture: it could not be loaded.")); });
    image.src = source;
    box.append(image);
    return box;
  }
  function chipPicture(chip, which, fits, numbered) {
    const name = which === "true" ? "true colour" : "false colour";
    const one = chip[which + "Colour"];
    const box = picture(one.source, chip.sensor + " chip of " + chip.acquired.slice(0, 10) + " in " + name + " (" + one.bands.join(", ") + "), cell " + chip.cell + ", with the points of " + number(chip.photos.length) + (chip.photos.length === 1 ? " photo" : " photos"), chip.width, chip.height, one.why);
    const points = shape("svg", { viewBox: "0 0 " + chip.width + " " + chip.height, class: "points", "aria-hidden": "true" });
    if (chip.area) points.append(shape("rect", { class: "area", x: (chip.width - chip.area) / 2, y: (chip.height - chip.area) / 2, width: chip.area, height: chip.area }));
    chip.photos.forEach(function (photo, place) {
      const group = shape("g", { class: "point", "data-photo": place });
      if (!fits[place]) group.classList.add("other");
      group.append(shape("circle", { class: "reach", cx: photo.col, cy: photo.row, r: photo.uncertainty }));
      group.append(shape("circle", { class: "spot", cx: photo.col, cy: photo.row, r: 5 }));
      if (numbered) group.append(shape("text", { x: photo.col + 9, y: photo.row - 9 }, String(place + 1)));
      points.append(group);
    });
    box.append(points);
    return box;
  }
  function credit(photo) {
    const line = make("p", "credit");
    const text = make("bdi", "", photo.attribution);
    if (photo.page) {
      const link = make("a");
      link.href = photo.page;
      link.rel = "noreferrer noopener external";
      link.append(text);
      line.append(link);
    } else {
      line.append(text);
    }
    line.append(" — ");
    if (photo.licenceUrl) {
      const licence = make("a", "", photo.licence);
      licence.href = photo.licenceUrl;
      licence.rel = "noreferrer noopener external license";
      line.append(licence);
    } else {
      line.append(photo.licence);
    }
    return line;
  }
  function photoPicture(photo) {
    const words = photo.title ? "Photo “" + photo.title + "”" : "Photo without a title";
    return picture(photo.source, words + ", taken " + photo.taken.slice(0, 16) + " at " + photo.lat + ", " + photo.lon, photo.width, photo.height, photo.why);
  }

  // ---- filters
  function fitting(chip) {
    return chip.pairs.map(function (pair) {
      return (!state.split || pair.split === state.split) && (state.gap === "" || pair.gap <= Number(state.gap));
    });
  }
  function choose() {
    found = chips.filter(function (chip) {
      return (!state.sensor || chip.sensor === state.sensor) && (!state.cell || chip.cell === state.cell) && fitting(chip).some(Boolean);
    });
    const pages = Math.max(1, Math.ceil(found.length / CARDS));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    let pairs = 0;
    found.forEach(function (chip) { pairs += fitting(chip).filter(Boolean).length; });
    document.getElementById("found").textContent = found.length ? number(pairs) + (pairs === 1 ? " pair" : " pairs") + " in " + number(found.length) + (found.length === 1 ? " chip" : " chips") + (pages > 1 ? ", page " + (state.page + 1) + " of " + number(pages) : "") : "No pair of the sample fits these filters.";
    document.getElementById("where").textContent = "Page " + (state.page + 1) + " of " + number(pages);
    pager.hidden = pages === 1;
    pager.querySelector('[data-step="-1"]').disabled = state.page === 0;
    pager.querySelector('[data-step="1"]').disabled = state.page === pages - 1;
    return pages;
  }
  function remember() {
    const parts = [];
    ["sensor", "cell", "split", "gap"].forEach(function (name) { if (state[name] !== "") parts.push(name + "=" + encodeURIComponent(state[name])); });
    if (state.page) parts.push("page=" + (state.page + 1));
    history.replaceState(null, "", parts.length ? "#" + parts.join("&") : location.pathname);
  }
  function recall() {
    const asked = new URLSearchParams(location.hash.slice(1));
    boxes.forEach(function (box) {
      const wanted = asked.get(box.id) || "";
      box.value = [...box.options].some(function (one) { return one.value === wanted; }) ? wanted : "";
      state[box.id] = box.value;
    });
    state.page = (parseInt(asked.get("page"), 10) || 1) - 1;
  }

  // ---- cards
  function card(chip, place) {
    const fits = fitting(chips[place]);
    const first = chip.photos.find(function (_, at) { return fits[at]; });
    const item = make("li", "card");
    const button = make("button", "open");
    button.type = "button";
    button.dataset.place = place;
    button.setAttribute("aria-label", chip.sensor + ", cell " + chip.cell + ", scene of " + chip.acquired.slice(0, 10) + ", " + number(chip.photos.length) + (chip.photos.length === 1 ? " photo" : " photos") + ": open");
    button.append(chipPicture(chip, "true", fits, false), photoPicture(first));
    button.addEventListener("click", function () { view(found.findIndex(function (one) { return one.place === place; })); });
    const caption = make("p", "caption");
    caption.append(make("strong", "", chip.sensor), " " + chip.acquired.slice(0, 10) + ", photo " + first.taken.slice(0, 10) + ", scene " + days(first.gap) + (chip.photos.length > 1 ? ", " + number(chip.photos.length) + " photos" : ""));
    item.append(button, caption, credit(first));
    return item;
  }
  function draw(focus) {
    choose();
    remember();
    const turn = ++drawn;
    const shown = found.slice(state.page * CARDS, (state.page + 1) * CARDS);
    return Promise.all(shown.map(details)).then(function (rows) {
      if (turn !== drawn) return;
      list.replaceChildren(...rows.map(function (row, at) { return card(row, shown[at].place); }));
      const buttons = list.querySelectorAll(".open");
      if (focus === "first" && buttons.length) buttons[0].focus();
      if (focus === "last" && buttons.length) buttons[buttons.length - 1].focus();
    }, trouble);
  }
  function trouble() {
    list.replaceChildren(make("li", "trouble", "A data file of this report could not be loaded. Copy the whole folder, with `data` and `pictures`."));
  }
  list.addEventListener("keydown", function (event) {
    const here = event.target.closest(".open");
    if (!here || event.ctrlKey || event.altKey || event.metaKey) return;
    const buttons = [...list.querySelectorAll(".open")];
    const at = buttons.indexOf(here);
    const top = here.parentElement.offsetTop;
    const columns = buttons.filter(function (one) { return one.parentElement.offsetTop === top; }).length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const pages = Math.ceil(found.length / CARDS);
    if (buttons[at + step]) {
      buttons[at + step].focus();
    } else if (event.key === "ArrowRight" && state.page < pages - 1) {
      state.page += 1;
      draw("first");
    } else if (event.key === "ArrowLeft" && state.page > 0) {
      state.page -= 1;
      draw("last");
    }
  });

  // ---- viewer
  function view(at) {
    if (at < 0 || at >= found.length) return;
    open = at;
    details(found[at]).then(function (chip) {
      if (open !== at) return;
      fillViewer(chip, fitting(found[at]));
      if (!viewer.open) viewer.showModal();
      viewer.querySelector(".viewer-body").scrollTop = 0;
      document.getElementById("viewer-status").textContent = "Chip " + (at + 1) + " of " + number(found.length);
    }, trouble);
  }
  function fillViewer(chip, fits) {
    document.getElementById("viewer-title").textContent = chip.sensor + ", " + chip.acquired.slice(0, 10);
    viewer.querySelector('[data-step="-1"]').disabled = open === 0;
    viewer.querySelector('[data-step="1"]').disabled = open === found.length - 1;
    const body = viewer.querySelector(".viewer-body");
    const pictures = make("div", "chip-pictures");
    ["true", "false"].forEach(function (which) {
      const figure = make("figure");
      if (chip[which + "Colour"]) {
        figure.append(chipPicture(chip, which, fits, true), make("figcaption", "", (which === "true" ? "True colour: " : "False colour: ") + chip[which + "Colour"].bands.join(", ")));
      } else {
        figure.append(make("p", "no-picture", which === "true" ? "This chip has no bands of red, green and blue." : "This chip has no near infrared, so there is no false colour."));
      }
      pictures.append(figure);
    });
    const facts = make("dl", "facts");
    [["chip", chip.id], ["scene", chip.scene], ["acquired", chip.acquired], ["target date", chip.target + " (scene " + days(chip.gap) + ")"], ["cell", chip.cell], ["cloud in chip", percent(chip.cloud)], ["cloud in scene", percent(chip.sceneCloud)], ["cloud shadow", percent(chip.shadow)], ["valid pixels", percent(chip.valid)], ["land cover", chip.cover || "not known"], ["grid", chip.crs + ", " + chip.width + " × " + chip.height + " px at " + chip.scale + " m"]].forEach(function (one) {
      const row = make("div");
      row.append(make("dt", "", one[0]), make("dd", "", one[1]));
      facts.append(row);
    });
    const photos = make("ol", "photos");
    photos.setAttribute("aria-label", "Photos in this chip");
    chip.photos.forEach(function (photo, place) {
      const item = make("li");
      if (!fits[place]) item.className = "other";
      item.dataset.photo = place;
      const title = make("h3");
      title.append((place + 1) + ". ", make("bdi", "", photo.title || "Untitled"));
      const words = make("p", "about", "Taken " + photo.taken.slice(0, 16).replace("T", " ") + " (" + photo.zone + "), scene " + days(photo.gap) + ". " + (photo.split === "none" ? "In no split" : "Split " + photo.split) + ". Row " + photo.row + ", column " + photo.col + ", " + photo.distance + " m from the centre; geotag good to about " + photo.uncertainty + " px. Indoors: " + photo.indoor + "." + (fits[place] ? "" : " Does not fit the filters."));
      item.append(photoPicture(photo), title, credit(photo), words);
      item.addEventListener("pointerenter", function () { light(place, true); });
      item.addEventListener("pointerleave", function () { light(place, false); });
      item.addEventListener("focusin", function () { light(place, true); });
      item.addEventListener("focusout", function () { light(place, false); });
      photos.append(item);
    });
    body.replaceChildren(pictures, photos, facts);
  }
  function light(place, on) {
    viewer.querySelectorAll('.point[data-photo="' + place + '"]').forEach(function (one) { one.classList.toggle("lit", on); });
  }
  function percent(value) { return value === null ? "not measured" : value + " %"; }
  viewer.addEventListener("keydown", function (event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    view(open + step);
  });
  viewer.querySelectorAll("[data-step]").forEach(function (button) {
    button.addEventListener("click", function () { view(open + Number(button.dataset.step)); });
  });
  viewer.querySelector("[data-close]").addEventListener("click", function () { viewer.close(); });
  viewer.addEventListener("click", function (event) { if (event.target === viewer) viewer.close(); });
  viewer.addEventListener("close", function () {
    const at = open;
    open = -1;
    const page = Math.floor(at / CARDS);
    const place = found[at] ? found[at].place : -1;
    const back = function () {
      const button = list.querySelector('.open[data-place="' + place + '"]');
      if (button) button.focus();
    };
    if (page !== state.page) {
      state.page = page;
      draw().then(back);
    } else {
      back();
    }
  });

  // ---- setting up
  function options(box, every, values, names) {
    box.append(new Option(every, ""));
    values.forEach(function (value, at) { box.append(new Option(names ? names[at] : value, value)); });
  }
  options(boxes[0], "all sensors", index.sensors);
  options(boxes[1], "all cells", index.cells);
  options(boxes[2], "all splits", index.splits);
  options(boxes[3], "any gap", GAPS.map(function (one) { return String(one[0]); }), GAPS.map(function (one) { return one[1]; }));
  form.hidden = false;
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("change", function () {
    boxes.forEach(function (box) { state[box.id] = box.value; });
    state.page = 0;
    draw();
  });
  form.addEventListener("reset", function () {
    ["sensor", "cell", "split", "gap"].forEach(function (name) { state[name] = ""; });
    state.page = 0;
    setTimeout(draw, 0);
  });
  pager.querySelectorAll("button").forEach(function (button) {
    button.addEventListener("click", function () {
      state.page += Number(button.dataset.step);
      draw("first").then(function () { list.scrollIntoView({ block: "start" }); });
    });
  });
  window.addEventListener("hashchange", function () {
    // The skip link names a place, no filters: drawn anew, the cards would lose the focus.
    if (document.getElementById(location.hash.slice(1))) {
      remember();
      return;
    }
    recall();
    draw();
  });
  recall();
  draw();
})();

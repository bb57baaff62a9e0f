// The canvas of varconvex: draw strokes on an image, see the answer. One file without dependencies, used by the notebook
// widget (anywidget calls `render`) and by the page of `varconvex annotate` (loaded as canvas.js?page).
// Messages are described in messages.py. Text from outside is only ever set as textContent.

const MAGIC = 0x31584356; // "VCX1"
const LONGEST_RUN_BITS = 8;
const MOST_POINTS = 16000; // of one message; a longer stroke is sent in pieces
const KEPT_IMAGES = 4; // whose strokes stay in the browser's storage
const FIRST_RETRY = 1500; // ms without an answer after which messages are sent again, later at twice the distance
const PATIENCE = 6000; // ms without an answer after which the canvas says so
const PALETTE = ["#ff4040", "#40d040", "#ffd020", "#d040ff", "#20d0d0", "#ff9020"];
const HELP = [
  ["1 … 9", "label"], ["E", "eraser"], ["[  ]", "brush smaller, larger"], ["right button", "erase"],
  ["Ctrl Z, Ctrl Y", "undo, redo"], ["Space and drag", "move"], ["wheel, + and −", "zoom (in a notebook: Ctrl and wheel)"],
  ["0", "whole image"], ["O", "fill, outline, certainty"], ["H", "hide the answer"], ["↑ ↓", "next slice"],
];

// ---------------------------------------------------------------- messages

const bytes = (b) => (ArrayBuffer.isView(b) ? new Uint8Array(b.buffer, b.byteOffset, b.byteLength) : new Uint8Array(b));

export function frame(kind, header, parts = []) {
  const head = new TextEncoder().encode(JSON.stringify({ kind, ...header, parts: parts.map((p) => p.byteLength) }));
  const out = new Uint8Array(8 + head.length + parts.reduce((sum, p) => sum + p.byteLength, 0));
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, head.length, true);
  out.set(head, 8);
  let at = 8 + head.length;
  for (const part of parts) { out.set(bytes(part), at); at += part.byteLength; }
  return out.buffer;
}

export function unframe(data) {
  const all = bytes(data), view = new DataView(all.buffer, all.byteOffset, all.byteLength);
  if (all.length < 8 || view.getUint32(0, true) !== MAGIC) throw new Error("not a message");
  const length = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(all.subarray(8, 8 + length)));
  let at = 8 + length;
  const parts = header.parts.map((n) => all.subarray(at, (at += n)));
  return { header, parts };
}

// Runs to one byte a pixel: 0 nothing, k + 1 for the k-th id, 255 outside.
export function decodeRuns(part, count) {
  const out = new Uint8Array(count), view = new DataView(part.buffer, part.byteOffset, part.byteLength);
  for (let i = 0, at = 0; i < part.byteLength; i += 4) {
    const run = view.getUint32(i, true);
    out.fill(run & 255, at, (at += run >>> LONGEST_RUN_BITS));
  }
  return out;
}

// ---------------------------------------------------------------- small helpers

const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

function make(tag, props = {}, children = []) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key === "class") node.className = value;
    else if (key === "text") node.textContent = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

const ICONS = {
  undo: "M6 3 2.5 6.5 6 10 M3 6.5h6.5a4 4 0 0 1 0 8H7", redo: "M10 3l3.5 3.5L10 10 M13 6.5H6.5a4 4 0 0 0 0 8H9",
  eraser: "M2.5 10.5l7-7 4 4-6 6h-2z M6 7l4 4 M7.5 13.5h6", plus: "M8 3v10 M3 8h10", minus: "M3 8h10",
  fit: "M2.5 6V2.5H6 M10 2.5h3.5V6 M13.5 10v3.5H10 M6 13.5H2.5V10",
  bin: "M3 4.5h10 M6 4.5V3h4v1.5 M4.5 4.5l.6 9h5.8l.6-9", help: "M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6 M8 12v.6",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

const button = (name, title, onclick) =>
  make("button", { class: "vc-button", type: "button", title, "aria-label": title, onclick }, [icon(name)]);

// ---------------------------------------------------------------- strokes kept in the browser

const kept = new Map(); // by digest of the image: shared by all canvases of this document

const storage = {
  read(digest) {
    try { return JSON.parse(localStorage.getItem(`varconvex:${digest}`) || "null"); } catch { return null; }
  },
  write(digest, operations) {
    try {
      const index = JSON.parse(localStorage.getItem("varconvex") || "[]").filter((d) => d !== digest);
      index.unshift(digest);
      for (const old of index.splice(KEPT_IMAGES)) localStorage.removeItem(`varconvex:${old}`);
      localStorage.setItem("varconvex", JSON.stringify(index));
      localStorage.setItem(`varconvex:${digest}`, JSON.stringify({ time: Date.now(), operations }));
    } catch { /* storage is full or forbidden: strokes are kept in this page only */ }
  },
  forget(digest) {
    try { localStorage.removeItem(`varconvex:${digest}`); } catch { /* as above */ }
  },
};

// ---------------------------------------------------------------- the canvas

export class Canvas {
  // `io` is {send(buffer), listen(onFrame, onStatus, onOpen) -> stop}, options {page, height}
  constructor(root, io, options = {}) {
    Object.assign(this, { root, io, options });
    this.view = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");
    this.id = 0; // of the last message sent
    this.seen = 0; // the last one that Python has applied
    this.unheard = new Map(); // messages by their id that it has not, in their order
    this.pending = []; // strokes that the shown scribbles do not hold yet
    this.waiting = new Map(); // id of a stroke without its final answer: time of pen up
    this.labels = [];
    this.chosen = {}; // shape of each label
    this.label = 2;
    this.erasing = false;
    this.hidden = false;
    this.mode = "fill";
    this.brush = 9;
    this.opacity = 0.45;
    this.axis = 0;
    this.index = 0;
    this.scale = 1; // screen pixels for an image pixel of height 1
    this.offset = [0, 0];
    this.step = [1, 1]; // height and width of a pixel
    this.pointers = new Map();
    this.stroke = null;
    this.online = true;
    this.build();
    this.stop = io.listen((data) => this.receive(data), (online, text) => this.status(online, text), () => this.askView(true));
  }

  build() {
    const { root } = this;
    root.classList.add("vc");
    this.chips = make("div", { class: "vc-chips", role: "radiogroup", "aria-label": "labels" });
    this.size = make("input", { type: "range", min: 1, max: 60, value: this.brush, title: "brush, in pixels  [ ]",
      "aria-label": "brush size", oninput: () => this.setBrush(+this.size.value) });
    this.sizeText = make("span", { class: "vc-number", text: `${this.brush}` });
    this.eraser = button("eraser", "erase  (E, or the right button)", () => this.setErasing(!this.erasing));
    this.modes = make("select", { title: "how the answer is shown  (O)", "aria-label": "how the answer is shown",
      onchange: () => this.setMode(this.modes.value) },
    ["fill", "outline", "certainty"].map((m) => make("option", { value: m, text: m })));
    this.alpha = make("input", { type: "range", min: 0, max: 100, value: 100 * this.opacity, title: "opacity",
      "aria-label": "opacity", oninput: () => { this.opacity = this.alpha.value / 100; this.draw(); } });
    this.shapes = make("select", { title: "shape of the chosen object", "aria-label": "shape", onchange: () =>
      this.post("shape", { label: this.label, shape: this.shapes.value || null }) });
    const group = (...nodes) => make("div", { class: "vc-group" }, nodes);
    this.saveButton = make("button", { class: "vc-button vc-text", type: "button", text: "Save and close",
      title: "write mask and strokes, end the program", onclick: () => this.action("end") });
    this.bar = make("div", { class: "vc-bar" }, [
      group(this.chips, button("plus", "another object", () => this.addLabel())),
      group(make("span", { class: "vc-name", text: "brush" }), this.size, this.sizeText, this.eraser),
      group(button("undo", "undo  (Ctrl Z)", () => this.undo()), button("redo", "redo  (Ctrl Y)", () => this.redo()),
        button("bin", "remove all strokes (can be undone)", () => this.clear())),
      group(this.modes, this.alpha),
      group(make("span", { class: "vc-name", text: "shape" }), this.shapes),
      ...(this.options.page ? [make("div", { class: "vc-group vc-last" }, [this.saveButton])] : []),
    ]);
    this.base = make("canvas", { class: "vc-layer" });
    this.top = make("canvas", { class: "vc-layer" });
    this.helpBox = make("dl", { class: "vc-help", hidden: true },
      HELP.flatMap(([keys, text]) => [make("dt", { text: keys }), make("dd", { text })]));
    this.stage = make("div", { class: "vc-stage", tabIndex: 0, role: "application",
      "aria-label": "image; draw strokes with the pointer" }, [this.base, this.top, this.helpBox]);
    this.planes = make("select", { "aria-label": "plane", title: "slices across this axis", onchange: () =>
      this.show(+this.planes.value, Math.floor(this.shape[+this.planes.value] / 2)) });
    this.slice = make("input", { type: "range", min: 0, value: 0, "aria-label": "slice", title: "slice  ↑ ↓",
      oninput: () => this.show(this.axis, +this.slice.value) });
    this.sliceText = make("span", { class: "vc-number" });
    this.slices = make("div", { class: "vc-slices", hidden: true }, [this.planes, this.slice, this.sliceText]);
    this.offerText = make("span");
    this.offer = make("div", { class: "vc-offer", hidden: true }, [this.offerText,
      make("button", { class: "vc-button vc-text", type: "button", text: "Restore", onclick: () => this.restore() }),
      make("button", { class: "vc-button vc-text", type: "button", text: "Forget", onclick: () => this.forget() })]);
    this.said = make("span", { class: "vc-said", role: "status", "aria-live": "polite", text: "Loading …" });
    this.numbers = make("span", { class: "vc-numbers" });
    this.nearly = make("span", { class: "vc-nearly" });
    this.place = make("span", { class: "vc-place" });
    root.append(this.bar, this.stage, this.slices, this.offer,
      make("div", { class: "vc-status" }, [this.said, this.numbers, this.nearly, this.place, group(
        button("minus", "smaller  (−)", () => this.zoom(1 / 1.25)), button("fit", "whole image  (0)", () => this.fit()),
        button("plus", "larger  (+)", () => this.zoom(1.25)), button("help", "keys  (?)", () => this.toggleHelp()))]));
    this.listen();
  }

  listen() {
    const { stage } = this;
    const on = (target, name, handler, settings) => {
      target.addEventListener(name, handler, settings);
      return () => target.removeEventListener(name, handler, settings);
    };
    this.unlisten = [
      on(stage, "pointerdown", (e) => this.down(e)),
      on(stage, "pointermove", (e) => this.move(e)),
      on(stage, "pointerup", (e) => this.up(e)),
      on(stage, "pointercancel", (e) => this.up(e)), // what was drawn until then counts
      on(stage, "lostpointercapture", (e) => this.up(e)),
      on(stage, "pointerleave", () => { this.hover = null; this.place.textContent = ""; this.drawTop(); }),
      on(stage, "contextmenu", (e) => e.preventDefault()),
      on(stage, "wheel", (e) => this.wheel(e), { passive: false }),
      on(this.root, "keydown", (e) => this.key(e)),
      on(this.root, "keyup", (e) => { if (e.key === " ") { this.space = false; this.cursor(); } }),
      on(window, "keydown", (e) => this.guard(e), true),
      on(window, "pagehide", () => this.finish()),
      on(document, "visibilitychange", () => { if (document.hidden) this.finish(); }),
    ];
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(stage);
  }

  destroy() {
    this.finish();
    this.stop();
    this.observer.disconnect();
    clearTimeout(this.timer);
    for (const undo of this.unlisten) undo();
    this.root.replaceChildren();
  }

  // -------------------------------------------------------------- to Python

  post(kind, header, parts) {
    this.id += 1;
    const message = frame(kind, { view: this.view, id: this.id, ...header }, parts);
    this.unheard.set(this.id, message);
    this.send(message);
    this.watch(FIRST_RETRY);
    return this.id;
  }

  send(buffer) {
    try { this.io.send(buffer); } catch { if (this.online) this.status(false); }
  }

  watch(wait, since = performance.now()) { // Python may be busy with another cell, or gone; a kernel may lose messages
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.unheard.size || !this.online) return;
      for (const message of this.unheard.values()) this.send(message); // what comes twice counts once
      if (performance.now() - since > PATIENCE) this.say("No answer yet: Python is busy or has ended. Your strokes are kept.", true);
      this.watch(Math.min(2 * wait, 30000), since);
    }, wait);
  }

  action(name) { return this.post("action", { name }); }

  askView(fresh = false) {
    const mode = this.mode === "certainty" ? "certainty" : "labels";
    this.send(frame("view", { view: this.view, axis: this.axis, index: this.index, mode, fresh }));
  }

  // Sends a stroke and keeps it.
  commit(operation, started) {
    this.remember(operation);
    const { label, width, axis, index, points } = operation;
    for (let k = 0; k === 0 || k < points.length - 2; k += 2 * MOST_POINTS - 2) { // pieces share a point
      const piece = points.slice(k, k + 2 * MOST_POINTS);
      const id = this.post("stroke", { label, width, axis, index }, [Float32Array.from(piece)]);
      this.pending.push({ ...operation, id });
      if (started) this.waiting.set(id, performance.now());
    }
    if (this.waiting.size) this.root.dispatchEvent(new CustomEvent("varconvex:sent", { bubbles: true }));
    this.busy(true);
  }

  undo() { this.remember({ undo: true }); this.action("undo"); }

  redo() { this.remember({ redo: true }); this.action("redo"); }

  clear() { this.remember({ clear: true }); this.action("clear"); }

  // -------------------------------------------------------------- strokes that outlive Python

  remember(operation) {
    const list = this.kept || (this.kept = []);
    if (!list.length && !this.offer.hidden) this.offer.hidden = true; // new strokes replace the old ones
    list.push(operation);
    if (this.digest) storage.write(this.digest, list);
  }

  // Python has the first word: if it holds strokes, ours are the same ones; if not, ours are offered.
  recall(digest, strokes) {
    if (this.digest === digest) return;
    this.digest = digest;
    if (kept.has(digest) && strokes) { this.kept = kept.get(digest); return; }
    const stored = storage.read(digest);
    this.kept = (strokes && stored && stored.operations) || [];
    kept.set(digest, this.kept);
    const count = strokes || !stored ? 0 : stored.operations.filter((o) => o.points).length;
    this.offer.hidden = !count;
    if (!count) return;
    const time = new Date(stored.time).toLocaleString();
    this.offerText.textContent = `${count} stroke${count > 1 ? "s" : ""} on this image, drawn until ${time}, are kept here.`;
  }

  restore() {
    this.offer.hidden = true;
    const stored = storage.read(this.digest);
    for (const operation of (stored && stored.operations) || []) {
      const known = this.labels.some((l) => l.id === operation.label) || operation.label === 0;
      if (operation.points && !known) this.addLabel(operation.label);
      if (operation.points) this.commit(operation);
      else if (operation.undo) this.undo();
      else if (operation.redo) this.redo();
      else if (operation.clear) this.clear();
    }
  }

  forget() { this.offer.hidden = true; storage.forget(this.digest); }

  // -------------------------------------------------------------- from Python

  receive(data) {
    let message;
    try { message = unframe(data); } catch { return; }
    const { header, parts } = message;
    if (header.view && header.view !== this.view) return;
    if (!this.online) this.status(true);
    const handler = { image: "onImage", state: "onState", seeds: "onSeeds", answer: "onAnswer", said: "onSaid" }[header.kind];
    if (handler) this[handler](header, parts);
  }

  async onImage(header, [part]) {
    const order = (this.imageOrder = (this.imageOrder || 0) + 1);
    const picture = await createImageBitmap(new Blob([part], { type: header.type }));
    if (order !== this.imageOrder) return;
    const first = !this.picture || header.rows !== this.rows || header.columns !== this.columns;
    Object.assign(this, { picture, rows: header.rows, columns: header.columns, shape: header.shape, step: header.step });
    this.slices.hidden = header.shape.length < 3;
    if (header.shape.length === 3) {
      if (!this.planes.length) {
        this.planes.append(...header.shape.map((n, axis) => make("option", { value: axis, text: `axis ${axis}` })));
        if (this.index === 0) { this.show(0, Math.floor(header.shape[0] / 2)); }
      }
      this.slice.max = header.shape[this.axis] - 1;
    }
    this.recall(header.digest, header.strokes);
    if (first) {
      const limit = this.options.page ? Infinity : this.options.height || 480;
      const height = Math.min(limit, (this.stage.clientWidth * this.rows * this.step[0]) / (this.columns * this.step[1]));
      if (!this.options.page) this.stage.style.height = `${Math.max(160, Math.round(height))}px`;
      this.largest = Math.max(20, Math.round(Math.max(this.rows, this.columns) / 8));
      this.size.max = this.largest;
      if (!this.sized) this.setBrush(Math.max(3, Math.round(Math.max(this.rows, this.columns) / 80)));
      this.sized = true;
      this.fitted = false;
      this.resize();
    }
    this.draw();
  }

  onState(header) {
    this.seen = Math.max(this.seen, header.acknowledged[this.view] || 0);
    for (const id of [...this.unheard.keys()]) if (id <= this.seen) this.unheard.delete(id);
    const names = JSON.stringify(header.labels);
    this.chosen = header.chosen;
    if (names !== this.names) { this.names = names; this.labels = header.labels; this.buildChips(); this.colourAgain(); }
    if (!this.shapes.length) {
      this.shapes.append(make("option", { value: "", text: "none" }), ...header.shapes.map((s) => make("option", { value: s, text: s })));
    }
    if (!this.labels.some((l) => l.id === this.label)) this.label = this.labels[this.labels.length - 1].id;
    this.showChoice();
    this.ready = header.ready;
    this.busy(header.busy);
    this.nearly.textContent = this.nearly.title = header.nearly;
    if (header.text) this.say(header.text, header.trouble, header.warning);
    else if (!header.ready) this.say(this.hint(header.drawn), false);
    else if (!header.busy) this.say("", false);
    if (!header.ready) { this.answer = null; this.path = null; this.numbers.textContent = ""; this.draw(); }
  }

  hint(drawn) {
    const missing = this.labels.filter((l) => l.id <= 2 && !drawn.includes(l.id)).map((l) => l.name);
    return missing.length ? `Draw a stroke on: ${missing.join(", ")}.` : "Draw on the object and on the background.";
  }

  onSaid(header) { this.say(header.text, header.trouble); }

  onSeeds(header, [part]) {
    if (header.axis !== this.axis || header.index !== this.index) return;
    if (this.seeds && header.version < this.seeds.version) return; // two threads send
    this.seeds = { ...header, values: decodeRuns(part, header.rows * header.columns) };
    this.pending = this.pending.filter((stroke) => stroke.id > header.acknowledged);
    this.seedLayer = this.paint(this.seeds, 255);
    this.draw();
    this.drawTop();
  }

  async onAnswer(header, [part, heat]) {
    if (header.axis !== this.axis || header.index !== this.index) return;
    if (this.answer && header.version < this.answer.version) return;
    const values = decodeRuns(part, header.rows * header.columns);
    const certainty = heat ? await createImageBitmap(new Blob([heat], { type: "image/png" })) : null;
    this.answer = { ...header, values, certainty };
    this.colourAgain();
    const gap = !header.final ? "preview" : header.gap === null ? "" : `gap ${(100 * header.gap).toPrecision(2)} %`;
    const shape = header.certified.length ? header.certified.join(", ") : "";
    this.draw(() => {
      const now = performance.now();
      for (const [id, time] of this.waiting) {
        if (id > header.acknowledged) continue;
        if (header.final) this.waiting.delete(id); // a preview comes before
        this.lastTime = now - time;
        const detail = { id, ms: now - time, final: header.final };
        this.root.dispatchEvent(new CustomEvent("varconvex:drawn", { bubbles: true, detail }));
      }
      const time = this.lastTime === undefined ? header.seconds * 1000 : this.lastTime;
      this.numbers.textContent = [gap, shape, `${Math.round(time)} ms`].filter(Boolean).join("  ·  ");
    });
  }

  status(online, text) {
    this.online = online;
    this.root.classList.toggle("vc-offline", !online);
    this.say(online ? "" : text || "Python does not answer any more. Your strokes are kept in this browser.", !online);
  }

  say(text, trouble, warning) {
    if (!this.online && !trouble) return;
    this.said.textContent = text;
    this.said.classList.toggle("vc-trouble", Boolean(trouble));
    this.said.classList.toggle("vc-warning", Boolean(warning && !trouble));
  }

  busy(is) { this.root.classList.toggle("vc-busy", Boolean(is) && this.online); }

  // -------------------------------------------------------------- labels and tools

  colour(id) {
    const found = this.labels.find((l) => l.id === id);
    return found ? found.colour : "#ffffff";
  }

  buildChips() {
    this.chips.replaceChildren(...this.labels.map((label) => {
      const dot = make("input", { type: "color", value: label.colour, title: "colour", "aria-label": `colour of ${label.name}`,
        onchange: () => this.changeLabel(label.id, { colour: dot.value }) });
      const name = make("span", { class: "vc-label", text: label.name });
      const chip = make("div", { class: "vc-chip", role: "radio", tabIndex: 0, title: `draw ${label.name}  (${label.id}); double-click renames`,
        onclick: (e) => { if (e.target !== dot) this.setLabel(label.id); },
        onkeydown: (e) => { if (e.key === "Enter") this.setLabel(label.id); },
        ondblclick: (e) => { if (e.target !== dot) this.rename(name, label); } }, [dot, name]);
      chip.dataset.label = label.id;
      return chip;
    }));
  }

  rename(name, label) {
    const field = make("input", { class: "vc-rename", value: label.name, maxLength: 80 });
    let open = true;
    const done = (keep) => { // once: taking the field away ends its focus
      if (!open) return;
      open = false;
      field.replaceWith(name);
      const text = field.value.trim();
      if (keep && text && text !== label.name) this.changeLabel(label.id, { name: text });
    };
    field.addEventListener("blur", () => done(true));
    field.addEventListener("keydown", (e) => {
      e.stopPropagation();
      if (e.key === "Enter" || e.key === "Escape") done(e.key === "Enter");
    });
    name.replaceWith(field);
    field.select();
  }

  changeLabel(id, change) {
    this.labels = this.labels.map((l) => (l.id === id ? { ...l, ...change } : l));
    this.sendLabels();
  }

  addLabel(wanted) {
    const id = wanted || Math.max(...this.labels.map((l) => l.id)) + 1;
    const added = { id, name: id === 2 ? "object" : `object ${id - 1}`, colour: PALETTE[(id + 4) % PALETTE.length] };
    this.labels = [...this.labels, added].sort((a, b) => a.id - b.id);
    this.sendLabels();
    this.setLabel(id);
  }

  sendLabels() {
    this.names = JSON.stringify(this.labels);
    this.post("labels", { labels: this.labels.map(({ id, name, colour }) => ({ id, name, colour })) });
    this.buildChips();
    this.showChoice();
    this.colourAgain();
  }

  setLabel(id) { this.label = id; this.setErasing(false); }

  setErasing(is) { this.erasing = is; this.showChoice(); this.drawTop(); }

  showChoice() {
    for (const chip of this.chips.children) {
      const is = +chip.dataset.label === this.label && !this.erasing;
      chip.classList.toggle("vc-chosen", is);
      chip.setAttribute("aria-checked", is);
    }
    this.eraser.classList.toggle("vc-chosen", this.erasing);
    this.shapes.disabled = this.label < 2;
    const shape = this.chosen[this.label] || "";
    if (![...this.shapes.options].some((o) => o.value === shape)) { // one that was given as an object
      this.shapes.append(make("option", { value: shape, text: shape, disabled: true }));
    }
    this.shapes.value = shape;
  }

  setBrush(size) {
    this.brush = clamp(Math.round(size), 1, this.largest || 60);
    this.size.value = this.brush;
    this.sizeText.textContent = `${this.brush}`;
    this.drawTop();
  }

  setMode(mode) {
    const before = this.mode === "certainty";
    this.mode = this.modes.value = mode;
    if ((mode === "certainty") !== before) this.askView();
    this.draw();
  }

  show(axis, index) {
    if (!this.shape || this.shape.length < 3) return;
    this.finish();
    const turned = axis !== this.axis;
    this.axis = axis;
    this.index = clamp(index, 0, this.shape[axis] - 1);
    this.planes.value = axis;
    this.slice.max = this.shape[axis] - 1;
    this.slice.value = this.index;
    this.sliceText.textContent = `${this.index + 1} / ${this.shape[axis]}`;
    if (turned) this.picture = null;
    this.seeds = this.seedLayer = this.answer = this.fillLayer = this.path = null;
    if (!this.asking) { // one request a frame: the last slice wins
      this.asking = true;
      requestAnimationFrame(() => { this.asking = false; this.askView(); });
    }
  }

  toggleHelp() { this.helpBox.hidden = !this.helpBox.hidden; }

  // -------------------------------------------------------------- pointers

  at(event) { // position on the stage
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  pixel([x, y]) { // (row, column); whole numbers are the centres of pixels
    return [(y - this.offset[1]) / (this.scale * this.step[0]) - 0.5, (x - this.offset[0]) / (this.scale * this.step[1]) - 0.5];
  }

  down(event) {
    if (!this.picture) return;
    event.preventDefault();
    this.stage.focus({ preventScroll: true });
    try { this.stage.setPointerCapture(event.pointerId); } catch { /* the pointer is gone already */ }
    this.pointers.set(event.pointerId, this.at(event));
    if (event.pointerType === "pen") this.pen = true;
    if (this.pointers.size === 2) { // a second finger: the first one's stroke was none, if it has just begun
      if (this.stroke && this.stroke.points.length < 12) this.stroke = null;
      this.finish();
      this.pinching = this.pinch();
      this.drawTop();
      return;
    }
    const finger = event.pointerType === "touch" && this.pen; // with a pen, fingers move the image
    if (this.space || event.button === 1 || finger) { this.panning = this.at(event); this.cursor(); return; }
    if (event.button > 2 && event.button !== 5) return;
    const erase = this.erasing || event.button === 2 || event.button === 5; // 5: the pen's other end
    const label = erase ? 0 : this.label;
    this.stroke = { label, width: this.brush, axis: this.axis, index: this.index, points: [], pointer: event.pointerId };
    this.extend(event);
  }

  extend(event) {
    const many = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const e of many.length ? many : [event]) {
      const [row, column] = this.pixel(this.at(e)).map((v) => Math.round(v * 100) / 100);
      const points = this.stroke.points, n = points.length;
      const far = this.brush + 1; // beyond the border nothing is drawn, but a stroke may go on there
      const point = [clamp(row, -far, this.rows + far), clamp(column, -far, this.columns + far)];
      if (!n || Math.hypot(point[0] - points[n - 2], point[1] - points[n - 1]) > 0.25) points.push(...point);
    }
    this.drawTop();
  }

  move(event) {
    const here = this.at(event);
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, here);
    this.hover = event.pointerType === "touch" ? null : here;
    if (this.pinching && this.pointers.size === 2) {
      const [before, now] = [this.pinching, this.pinch()];
      this.pinching = now;
      this.offset = [0, 1].map((i) => this.offset[i] + now.centre[i] - before.centre[i]);
      this.zoom(now.spread / before.spread, now.centre);
    } else if (this.panning) {
      this.offset = [0, 1].map((i) => this.offset[i] + here[i] - this.panning[i]);
      this.panning = here;
      this.draw();
      this.drawTop();
    } else if (this.stroke && event.pointerId === this.stroke.pointer) this.extend(event);
    else this.drawTop();
    if (this.picture && this.hover) {
      const [row, column] = this.pixel(here).map(Math.round);
      const inside = row >= 0 && column >= 0 && row < this.rows && column < this.columns;
      this.place.textContent = inside ? `row ${row}, column ${column}` : "";
    }
  }

  up(event) {
    const known = this.pointers.delete(event.pointerId);
    if (this.pointers.size < 2) this.pinching = null;
    if (!known) return;
    this.panning = null;
    this.cursor();
    if (this.stroke && this.stroke.pointer === event.pointerId) this.finish();
  }

  finish() { // sends the stroke that is being drawn, if there is one
    const { stroke } = this;
    this.stroke = null;
    if (!stroke || !stroke.points.length) return;
    delete stroke.pointer;
    this.commit(stroke, true);
    this.drawTop();
  }

  pinch() {
    const [a, b] = [...this.pointers.values()];
    return { centre: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], spread: Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1])) };
  }

  wheel(event) {
    if (!this.options.page && !event.ctrlKey && !event.metaKey) return; // a notebook scrolls
    event.preventDefault();
    this.zoom(Math.exp(-clamp(event.deltaY, -100, 100) / (event.ctrlKey && this.options.page ? 100 : 300)), this.at(event));
  }

  zoom(factor, centre = [this.stage.clientWidth / 2, this.stage.clientHeight / 2]) {
    const scale = clamp(this.scale * factor, this.fitScale() / 4, 64);
    this.offset = [0, 1].map((i) => centre[i] - ((centre[i] - this.offset[i]) * scale) / this.scale);
    this.scale = scale;
    this.fitted = false;
    this.zoomed = true;
    this.draw();
    this.drawTop();
  }

  fitScale() {
    if (!this.picture) return 1;
    return Math.min(this.stage.clientWidth / (this.columns * this.step[1]), this.stage.clientHeight / (this.rows * this.step[0]));
  }

  fit() {
    this.scale = this.fitScale();
    this.offset = [(this.stage.clientWidth - this.scale * this.columns * this.step[1]) / 2,
      (this.stage.clientHeight - this.scale * this.rows * this.step[0]) / 2];
    this.zoomed = false;
    this.draw();
    this.drawTop();
  }

  cursor() {
    this.stage.classList.toggle("vc-move", Boolean(this.space || this.panning));
    this.drawTop();
  }

  job(event) { // what a key does; nothing for keys that are not ours
    if (["INPUT", "SELECT"].includes(event.target.tagName) && event.target.type !== "range") return null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.altKey) return null;
    if (event.ctrlKey || event.metaKey) {
      if (key === "y" || (key === "z" && event.shiftKey)) return () => this.redo();
      return key === "z" ? () => this.undo() : null;
    }
    if (/^[1-9]$/.test(key)) return () => { if (this.labels[+key - 1]) this.setLabel(this.labels[+key - 1].id); };
    if (event.target !== this.stage && (key === " " || key.startsWith("Arrow"))) return null; // sliders and buttons
    const step = Math.max(1, this.brush / 5), volume = this.shape && this.shape.length === 3;
    const jobs = {
      e: () => this.setErasing(!this.erasing), h: () => { this.hidden = !this.hidden; this.draw(); },
      o: () => this.setMode({ fill: "outline", outline: "certainty", certainty: "fill" }[this.mode]),
      "[": () => this.setBrush(this.brush - step), "]": () => this.setBrush(this.brush + step),
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(1 / 1.25), 0: () => this.fit(),
      "?": () => this.toggleHelp(), Escape: () => { this.helpBox.hidden = true; this.stroke = null; this.drawTop(); },
      ArrowUp: volume && (() => this.show(this.axis, this.index + 1)),
      ArrowDown: volume && (() => this.show(this.axis, this.index - 1)),
      " ": () => { this.space = true; this.cursor(); },
    };
    return jobs[key] || null;
  }

  key(event) {
    const job = this.job(event);
    if (!job) return;
    event.stopPropagation();
    event.preventDefault();
    job();
  }

  guard(event) { // JupyterLab takes keys before we do, unless it finds this mark: x would cut the cell, Ctrl Z undo there
    if (!this.root.contains(event.target)) return;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (plain || this.job(event)) this.root.dataset.lmSuppressShortcuts = "true";
    else delete this.root.dataset.lmSuppressShortcuts; // Ctrl S saves the notebook
  }

  // -------------------------------------------------------------- drawing

  resize() {
    const ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = this.stage;
    for (const layer of [this.base, this.top]) {
      layer.width = Math.max(1, Math.round(clientWidth * ratio));
      layer.height = Math.max(1, Math.round(clientHeight * ratio));
    }
    if (this.picture && !this.zoomed) this.fit();
    this.draw();
    this.drawTop();
  }

  // An offscreen canvas with the colours of label indices; the background and outside stay clear unless `all`.
  paint(labels, alpha, all = true) {
    const { rows, columns, ids, values } = labels, layer = new OffscreenCanvas(columns, rows);
    const table = new Uint32Array(256), word = new Uint32Array(1), four = new Uint8Array(word.buffer);
    ids.forEach((id, k) => {
      if (!all && id === 1) return;
      four.set([...rgb(this.colour(id)), alpha]);
      table[k + 1] = word[0];
    });
    const context = layer.getContext("2d"), data = context.createImageData(columns, rows);
    const pixels = new Uint32Array(data.data.buffer);
    for (let i = 0; i < values.length; i++) pixels[i] = table[values[i]];
    context.putImageData(data, 0, 0);
    return layer;
  }

  // The boundaries of the objects between pixels, as one path for each label.
  outlines({ rows, columns, ids, values }) {
    const found = new Map();
    const add = (value, x0, y0, x1, y1) => {
      const id = ids[value - 1];
      if (!id || id === 1) return;
      if (!found.has(id)) found.set(id, new Path2D());
      const path = found.get(id);
      path.moveTo(x0, y0);
      path.lineTo(x1, y1);
    };
    const scan = (lines, length, step, across, put) => { // one direction; equal neighbours on a line become one segment
      for (let line = 1; line < lines; line++) {
        let from = 0, a = 0, b = 0;
        for (let i = 0; i <= length; i++) {
          const here = i < length, at = line * across + i * step;
          const one = here ? values[at - across] : 0, two = here ? values[at] : 0;
          const [p, q] = one === two ? [0, 0] : [one, two];
          if (p === a && q === b && here) continue;
          if (a) put(a, line, from, i);
          if (b) put(b, line, from, i);
          [from, a, b] = [i, p, q];
        }
      }
    };
    scan(rows, columns, 1, columns, (v, line, from, to) => add(v, from, line, to, line));
    scan(columns, rows, columns, 1, (v, line, from, to) => add(v, line, from, line, to));
    return found;
  }

  colourAgain() {
    if (this.answer) { this.fillLayer = this.paint(this.answer, 255, false); this.path = this.outlines(this.answer); }
    if (this.seeds) this.seedLayer = this.paint(this.seeds, 255);
    this.draw();
  }

  transform(context) {
    const ratio = window.devicePixelRatio || 1, { scale, offset, step } = this;
    context.setTransform(ratio * scale * step[1], 0, 0, ratio * scale * step[0], ratio * offset[0], ratio * offset[1]);
  }

  draw(after) { // the image, the answer and the scribbles, before the next frame
    if (after) (this.after = this.after || []).push(after);
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.drawBase();
      const jobs = this.after || [];
      this.after = [];
      for (const job of jobs) job();
    });
  }

  drawBase() {
    const context = this.base.getContext("2d"), ratio = window.devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.base.width, this.base.height);
    if (!this.picture) return;
    this.transform(context);
    context.imageSmoothingEnabled = this.scale * ratio < 3; // enlarged, pixels are shown as they are
    context.drawImage(this.picture, 0, 0);
    if (this.answer && !this.hidden) {
      context.globalAlpha = this.opacity;
      if (this.mode === "fill" && this.fillLayer) context.drawImage(this.fillLayer, 0, 0);
      if (this.mode === "certainty" && this.answer.certainty) context.drawImage(this.answer.certainty, 0, 0);
      context.globalAlpha = this.mode === "outline" ? Math.min(1, 0.3 + this.opacity) : 0.9;
      this.drawOutlines(context);
      if (this.mode === "certainty" && this.answer.next) this.drawNext(context, ...this.answer.next);
    }
    if (this.seedLayer) {
      context.globalAlpha = 0.85;
      context.drawImage(this.seedLayer, 0, 0);
    }
    context.globalAlpha = 1;
  }

  drawOutlines(context) {
    const thin = 1 / (this.scale * Math.sqrt(this.step[0] * this.step[1]));
    context.lineCap = "square";
    for (const [id, path] of this.path || []) {
      context.strokeStyle = "rgba(0, 0, 0, .55)";
      context.lineWidth = 3.5 * thin;
      context.stroke(path);
      context.strokeStyle = this.colour(id);
      context.lineWidth = 2 * thin;
      context.stroke(path);
    }
  }

  drawNext(context, row, column) { // a ring where one more stroke would tell most
    const thin = 1 / (this.scale * Math.sqrt(this.step[0] * this.step[1]));
    context.globalAlpha = 1;
    for (const [colour, width] of [["rgba(0, 0, 0, .7)", 5], ["#fff", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * thin;
      context.beginPath();
      context.arc(column + 0.5, row + 0.5, 9 * thin, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  drawTop() { // what changes with each move of the pointer
    if (this.drawingTop) return;
    this.drawingTop = true;
    requestAnimationFrame(() => {
      this.drawingTop = false;
      const context = this.top.getContext("2d");
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, this.top.width, this.top.height);
      if (!this.picture) return;
      this.transform(context);
      const strokes = [...this.pending, ...(this.stroke ? [this.stroke] : [])];
      for (const stroke of strokes) if (stroke.axis === this.axis && stroke.index === this.index) this.drawStroke(context, stroke);
      if (this.hover && !this.space && !this.panning) this.drawBrush(context);
    });
  }

  drawStroke(context, { label, width, points }) {
    context.globalAlpha = label ? 0.85 : 0.6;
    context.strokeStyle = context.fillStyle = label ? this.colour(label) : "#ffffff";
    context.lineWidth = width;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(points[1] + 0.5, points[0] + 0.5);
    for (let k = 0; k < points.length; k += 2) context.lineTo(points[k + 1] + 0.5, points[k] + 0.5);
    if (points.length === 2) context.lineTo(points[1] + 0.501, points[0] + 0.5);
    context.stroke();
    context.globalAlpha = 1;
  }

  drawBrush(context) {
    const [row, column] = this.pixel(this.hover), thin = 1 / this.scale;
    const circle = (radius, colour, width) => {
      context.beginPath();
      context.ellipse(column + 0.5, row + 0.5, radius, radius, 0, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    };
    const radius = Math.max(this.brush / 2, 1.5 * thin);
    circle(radius, "rgba(0, 0, 0, .6)", 3 * thin);
    circle(radius, this.erasing ? "#ffffff" : this.colour(this.label), 1.5 * thin);
  }
}

// ---------------------------------------------------------------- in a notebook

function render({ model, el }) {
  const root = make("div");
  el.append(root);
  const io = {
    send: (buffer) => model.send({}, undefined, [buffer]),
    listen: (onFrame, onStatus, onOpen) => {
      const got = (content, buffers) => { for (const buffer of buffers || []) onFrame(buffer); };
      const gone = () => onStatus(false,
        "The kernel has ended or was started anew. Your strokes are kept in this browser: run the cell again to go on.");
      const changed = () => { gone(); onOpen(); }; // if Python is there after all, its answer takes the words back
      model.on("msg:custom", got);
      model.on("comm:close", gone);
      model.on("comm_live_update", changed);
      queueMicrotask(onOpen);
      return () => { model.off("msg:custom", got); model.off("comm:close", gone); model.off("comm_live_update", changed); };
    },
  };
  const canvas = new Canvas(root, io, { height: model.get("height") });
  return () => canvas.destroy();
}

export default { render };

// ---------------------------------------------------------------- on a page

// Messages go one after another, so that strokes keep their order; answers come as one stream, each with its length.
function connect() {
  const queue = [];
  let sending = false, status = () => {};
  const next = async () => {
    if (sending) return;
    sending = true;
    while (queue.length) {
      try {
        const answer = await fetch("send", { method: "POST", body: queue[0], keepalive: queue[0].byteLength < 60000 });
        if (!answer.ok && answer.status !== 400) throw new Error(`${answer.status}`);
        queue.shift();
      } catch {
        status(false, "The program has ended. Your strokes are kept in this page until it is closed.");
        await new Promise((done) => setTimeout(done, 2000));
      }
    }
    sending = false;
  };
  return {
    send(buffer) { queue.push(buffer); next(); },
    listen(onFrame, onStatus, onOpen) {
      const ending = new AbortController();
      status = onStatus;
      readStream(onFrame, onStatus, onOpen, ending.signal);
      return () => ending.abort();
    },
  };
}

async function readStream(onFrame, onStatus, onOpen, signal) {
  while (!signal.aborted) {
    try {
      const answer = await fetch("stream", { signal });
      if (!answer.ok) throw new Error(`${answer.status}`);
      onOpen();
      const reader = answer.body.getReader();
      let rest = new Uint8Array(0);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const all = new Uint8Array(rest.length + value.length);
        all.set(rest);
        all.set(value, rest.length);
        let at = 0;
        while (all.length - at >= 4) {
          const length = new DataView(all.buffer).getUint32(at, true);
          if (all.length - at - 4 < length) break;
          if (length) onFrame(all.slice(at + 4, at + 4 + length));
          at += 4 + length;
        }
        rest = all.slice(at);
      }
      onStatus(false, "The program has ended.");
    } catch { if (!signal.aborted) onStatus(false, "The program has ended. Your strokes are kept in this page until it is closed."); }
    await new Promise((done) => setTimeout(done, 2000));
  }
}

if (new URL(import.meta.url).search === "?page") {
  const root = document.getElementById("canvas");
  window.varconvex = new Canvas(root, connect(), { page: true });
}

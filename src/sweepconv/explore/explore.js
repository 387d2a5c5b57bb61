// The page's state, what follows from it, and what changes it. One state, one `update`.

const SIDE = 28;
const REACH = 14; // of the plot: half of the image, all there is on a ring
const LAYER = { stride: 1, padding: "circular", pooling: false };

const get = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const SAMPLES = JSON.parse(get("data").textContent);

const state = {
  start: grid(SIDE, new Uint8Array(SIDE * SIDE)), // ink before the move, 0 to 9
  dy: 0, dx: 0, swapped: false,
  tool: "move", cursor: { row: 14, column: 14 },
  taps: makeTaps("semicircle", 5), filter: "semicircle", ...LAYER,
  cell: null, // of the map: the one that is looked at; null before any is chosen
  made: Infinity, // cells of the map made so far, while a sweep goes on
};
let timer = null; // of the sweep
let derived = null; // what the last update computed

function ink(x) {
  return state.swapped ? grid(SIDE, x.values.map((v) => 9 - v)) : x;
}

function ratio(now, before) {
  return before > 0 ? now / before : null;
}

// Everything shown follows from the state, here.
function derive() {
  const before = ink(state.start);
  const digit = roll(state.start, state.dy, state.dx);
  const x = ink(digit);
  const layer = { taps: state.taps, stride: state.stride, padding: state.padding,
                  pooling: state.pooling };
  const old = respond(before, layer);
  const { map, output } = respond(x, layer);
  const step = state.stride * (state.pooling ? 2 : 1);
  const [down, right] = [Math.round(state.dy / step), Math.round(state.dx / step)];
  const circular = state.padding === "circular";
  const expected = moveMap(old.output, down, right, circular);
  const strong = strongFilter(before);
  const shifts = peakShift(peak(old.output), output, down, right, circular);
  return {
    digit, x, layer, map, output, expected, strong, ...shifts, dy: state.dy, dx: state.dx,
    result: difference(expected, output),
    peakPixels: [shifts.peakShift[0] * step, shifts.peakShift[1] * step],
    curves: curves(before, strong, layer, peak(old.output).value),
    strongShare: ratio(dense(x, strong), dense(before, strong)),
    weakShare: ratio(peak(output).value, peak(old.output).value),
  };
}

// Where several cells share the maximum, the one is meant to which it should have moved.
function peakShift(old, output, down, right, circular) {
  const best = peak(output);
  const n = output.side;
  const place = (i) => (circular ? mod(i, n) : i);
  const [row, column] = [place(old.row + down), place(old.column + right)];
  const inside = row >= 0 && column >= 0 && row < n && column < n;
  if (inside && output.values[row * n + column] === best.value) Object.assign(best, { row, column });
  const moved = (i, n) => (circular ? shortest(i, n) : i);
  return { peak: best, empty: best.ties === n * n,
           peakShift: [moved(best.row - old.row, n), moved(best.column - old.column, n)] };
}

// Response against the shift to the right, at the present height.
function curves(before, strong, layer, weakest) {
  const [weakPoints, strongPoints] = [[], []];
  const whole = dense(before, strong);
  for (let dx = -REACH; dx <= REACH; dx++) {
    const moved = roll(before, state.dy, dx);
    weakPoints.push([dx, ratio(peak(respond(moved, layer).output).value, weakest)]);
    strongPoints.push([dx, ratio(dense(moved, strong), whole)]);
  }
  return [{ style: "weak", points: weakPoints }, { style: "strong", points: strongPoints }];
}

// ---- Showing ------------------------------------------------------------------------------

let queued = false;

// Many changes between two frames, as a drag makes them, are shown once.
function update() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(show);
}

function show() {
  queued = false;
  derived = derive();
  const cells = derived.map.values.length;
  if (state.cell !== null) state.cell = Math.min(state.cell, cells - 1);
  showStage();
  showSum();
  showMove();
  showPlot();
  const words = inWords(derived);
  get("said").textContent = words;
  say(words);
}

function cellPlace() {
  const n = derived.map.side;
  const p = state.cell ?? firstPeak();
  return { p, row: Math.floor(p / n), column: p % n };
}

function firstPeak() {
  const best = peak(derived.map);
  return best.row * derived.map.side + best.column;
}

function windowPlace() {
  const { row, column } = cellPlace();
  const padding = state.padding === "none" ? 0 : (state.taps.side - 1) / 2;
  return { row: row * state.stride - padding, column: column * state.stride - padding,
           size: state.taps.side };
}

function showStage() {
  const { digit, x, map } = derived;
  const drawing = state.tool !== "move" && document.activeElement === get("image");
  drawImage(get("image"), x, { window: windowPlace(), circular: state.padding === "circular",
                               cursor: drawing ? state.cursor : null });
  const best = peak(map);
  drawMap(get("map"), map, { made: state.made, cell: cellPlace(),
                             best: best.ties < map.values.length && state.made > map.values.length
                               ? best : null });
  drawStrong(get("strong"), derived.strong, digit);
  showShare("strong", derived.strongShare);
  showShare("weak", derived.weakShare);
}

function showShare(name, value) {
  get(`${name}-share`).textContent = share(value);
  get(`${name}-bar`).style.width = `${Math.min(100, Math.max(0, 100 * (value ?? 0)))}%`;
}

function showSum() {
  const place = windowPlace();
  const { row, column, p } = cellPlace();
  const seen = windowAt(derived.x, place.size, place.row, place.column,
                        state.padding === "circular");
  const products = seen.values.map((v, t) => v * state.taps.values[t]);
  fillCells("window", seen.values, (v) => (v ? "ink" : ""));
  fillCells("products", products, (v) => (v > 0 ? "positive" : v < 0 ? "negative" : ""));
  get("cell-words").textContent = `Row ${row + 1}, column ${column + 1} of the `
    + `${derived.map.side} x ${derived.map.side} map: the sum of ${products.length} products is`;
  get("sum").textContent = get("framed").textContent = number(derived.map.values[p]);
}

function fillCells(id, values, kind) {
  const box = get(id);
  box.style.setProperty("--k", Math.sqrt(values.length));
  box.replaceChildren(...values.map((v) => {
    const cell = document.createElement("span");
    cell.textContent = number(v);
    cell.className = kind(v);
    return cell;
  }));
}

function showMove() {
  const { result, expected, output, layer, empty, peakPixels } = derived;
  const scale = Math.max(greatest(expected), greatest(output));
  drawMap(get("expected"), expected, { scale });
  drawMap(get("now"), output, { scale, best: empty ? null : derived.peak });
  drawDifference(get("difference"), output.side, result.marks);
  get("verdict").textContent = verdict(result);
  get("verdict").classList.toggle("broken", result.unequal > 0);
  get("reason").textContent = reason(result, promise(layer, SIDE, state.dy, state.dx));
  get("digit-shift").textContent = pair(state.dy, state.dx);
  get("peak-shift").textContent = empty ? "no maximum" : pair(...derived.peakShift);
  get("peak-pixels").textContent = empty ? "no maximum" : pair(...peakPixels);
  get("largest").textContent = number(result.largest);
  get("difference").setAttribute("aria-label", verdict(result));
}

function showPlot() {
  drawPlot(get("plot"), derived.curves, state.dx, REACH);
  const height = state.dy ? ` All points: the digit moved ${way(state.dy, 0)}.` : "";
  get("plot-words").textContent = `Dashed line: where the digit is now.${height}`;
}

let saying = null;

// Said once things have come to rest: a drag would flood the listener.
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => {
    get("live").textContent = text;
  }, 400);
}

// ---- Changing -----------------------------------------------------------------------------

function change(changes) {
  stopSweep();
  Object.assign(state, changes, { made: Infinity });
  showControls();
  update();
}

function moveTo(dy, dx) {
  change({ dy: shortest(dy, SIDE), dx: shortest(dx, SIDE) });
}

// The image as it lies now becomes the start, for the strong filter and for the comparison.
function restart() {
  change({ start: roll(state.start, state.dy, state.dx), dy: 0, dx: 0 });
}

function choose(sample) {
  const values = Uint8Array.from(sample, Number);
  change({ start: grid(SIDE, values), dy: 0, dx: 0, cell: null });
}

// A soft round brush: full ink at its centre, less around it.
function stroke(row, column) {
  if (state.dy || state.dx) restart();
  const values = state.start.values.slice();
  for (const [a, b, v] of [[0, 0, 9], [0, 1, 7], [1, 0, 7], [0, -1, 7], [-1, 0, 7]]) {
    const [r, c] = [row + a, column + b];
    if (r < 0 || c < 0 || r >= SIDE || c >= SIDE) continue;
    const p = r * SIDE + c;
    values[p] = state.tool === "erase" ? 0 : Math.max(values[p], v);
  }
  change({ start: grid(SIDE, values), cursor: { row, column } });
}

function strokeTo(from, to) {
  const steps = Math.max(1, Math.abs(to.row - from.row), Math.abs(to.column - from.column));
  for (let i = 1; i <= steps; i++) {
    stroke(from.row + Math.round(((to.row - from.row) * i) / steps),
           from.column + Math.round(((to.column - from.column) * i) / steps));
  }
}

// ---- The sweep ----------------------------------------------------------------------------

function stopSweep() {
  clearInterval(timer);
  timer = null;
  get("play").textContent = "Sweep";
}

function lookAt(cell) {
  state.cell = Math.max(0, Math.min(derived.map.values.length - 1, cell));
  if (state.made !== Infinity) state.made = state.cell + 1;
  showStage();
  showSum();
}

function advance(cells) {
  const last = derived.map.values.length - 1;
  if (state.cell >= last) {
    stopSweep();
    state.made = Infinity;
    showStage();
    return;
  }
  lookAt(Math.min(last, state.cell + cells));
}

function play() {
  if (timer !== null) {
    stopSweep();
    return;
  }
  if (state.made === Infinity) Object.assign(state, { cell: 0, made: 1 });
  lookAt(state.cell);
  get("play").textContent = "Pause";
  // Where less motion is asked for, a whole row of the map is made at once, each second.
  const perSecond = Number(get("speed").value);
  const [pause, cells] = calm.matches ? [1000, derived.map.side]
    : [1000 / Math.min(perSecond, 30), Math.max(1, perSecond / 30)];
  timer = setInterval(() => advance(cells), pause);
}

function step(by) {
  stopSweep();
  lookAt((state.cell ?? firstPeak()) + by);
}

// A cell chosen on the map: the sweep is given up, and all of the map is there again.
function choosePlace(cell) {
  stopSweep();
  state.made = Infinity;
  lookAt(cell);
}

// ---- Controls -----------------------------------------------------------------------------

function showControls() {
  const values = { size: state.taps.side, stride: state.stride, padding: state.padding,
                   tool: state.tool };
  for (const [name, value] of Object.entries(values)) {
    document.querySelector(`input[name=${name}][value="${value}"]`).checked = true;
  }
  get("filter").value = state.filter;
  get("pooling").checked = state.pooling;
  get("swapped").checked = state.swapped;
  get("image").classList.toggle("draw", state.tool !== "move");
  showTaps();
}

function makeChoices() {
  for (const box of document.querySelectorAll(".choice")) {
    const { name, values } = box.dataset;
    for (const value of values.split(" ")) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name, value });
      const word = value[0].toUpperCase() + value.slice(1);
      input.addEventListener("change", () => chosen(name, value));
      label.append(input, word);
      box.append(label);
    }
  }
}

function chosen(name, value) {
  if (name === "size") setSize(Number(value));
  else if (name === "stride") change({ stride: Number(value), cell: null });
  else if (name === "padding") change({ padding: value, cell: null });
  else change({ tool: value });
}

function setSize(k) {
  const taps = state.filter === "own" ? resizeTaps(state.taps, k) : makeTaps(state.filter, k);
  change({ taps, cell: null });
}

function makeFilters() {
  const names = [...Object.entries(FILTERS).map(([key, { name }]) => [key, name]),
                 ["own", "Your own"]];
  get("filter").append(...names.map(([key, name]) => new Option(name, key)));
  get("filter").addEventListener("change", (event) => {
    const filter = event.target.value;
    const taps = filter === "own" ? state.taps : makeTaps(filter, state.taps.side);
    change({ filter, taps, cell: null });
  });
}

function makeSamples() {
  SAMPLES.forEach(({ label, pixels }) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.setAttribute("aria-label", label);
    button.title = label;
    button.append(document.createElement("canvas"));
    button.addEventListener("click", () => choose(pixels));
    get("samples").append(button);
  });
}

function drawSamples() {
  document.querySelectorAll("#samples canvas").forEach((canvas, i) => {
    drawImage(canvas, grid(SIDE, Array.from(SAMPLES[i].pixels, Number)), {});
  });
}

// One tap at a time is in the tab order; arrow keys go to the others.
function makeTapInputs(k) {
  const inputs = Array.from({ length: k * k }, (_, t) => {
    const input = Object.assign(document.createElement("input"), { type: "text", tabIndex: -1 });
    input.setAttribute("aria-label", `Tap, row ${Math.floor(t / k) + 1}, column ${(t % k) + 1}`);
    input.autocomplete = "off";
    input.addEventListener("focus", () => input.select());
    input.addEventListener("input", () => typed(input, t));
    input.addEventListener("keydown", (event) => {
      const [down, right] = arrow(event) ?? [0, 0];
      const [r, c] = [Math.floor(t / k) + down, (t % k) + right];
      if ((!down && !right) || r < 0 || c < 0 || r >= k || c >= k) return;
      event.preventDefault();
      inputs.forEach((other) => { other.tabIndex = -1; });
      inputs[r * k + c].tabIndex = 0;
      inputs[r * k + c].focus();
    });
    return input;
  });
  inputs[Math.floor((k * k) / 2)].tabIndex = 0;
  get("taps").style.setProperty("--k", k);
  get("taps").replaceChildren(...inputs);
}

function typed(input, t) {
  const text = input.value.replace(MINUS, "-").replace(",", ".").trim();
  const value = Number(text);
  const valid = text !== "" && Number.isFinite(value) && Math.abs(value) <= 999;
  input.setAttribute("aria-invalid", String(!valid));
  if (!valid) return;
  const values = state.taps.values.slice();
  values[t] = value;
  change({ filter: "own", taps: grid(state.taps.side, values) });
}

function showTaps() {
  const { side, values } = state.taps;
  if (get("taps").children.length !== side * side) makeTapInputs(side);
  [...get("taps").children].forEach((input, t) => {
    if (input !== document.activeElement) input.value = number(values[t]);
    input.className = values[t] > 0 ? "positive" : values[t] < 0 ? "negative" : "";
  });
}

// ---- Pointer and keys ---------------------------------------------------------------------

function arrow(event) {
  return { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
}

// The cell under the pointer; it may lie outside.
function under(event, canvas, side) {
  const box = canvas.getBoundingClientRect();
  return { row: Math.floor(((event.clientY - box.top) / box.height) * side),
           column: Math.floor(((event.clientX - box.left) / box.width) * side) };
}

function listenToImage() {
  const canvas = get("image");
  let held = null; // where the pointer went down or was last, and the shift at that time
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    held = { ...under(event, canvas, SIDE), dy: state.dy, dx: state.dx };
    if (state.tool !== "move") stroke(held.row, held.column);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const at = under(event, canvas, SIDE);
    if (state.tool === "move") {
      moveTo(held.dy + at.row - held.row, held.dx + at.column - held.column);
    } else if (at.row !== held.row || at.column !== held.column) {
      strokeTo(held, at);
      held = at;
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => { held = null; });
  }
  canvas.addEventListener("keydown", keyOnImage);
  for (const turn of ["focus", "blur"]) canvas.addEventListener(turn, showStage);
}

function keyOnImage(event) {
  const by = arrow(event);
  if (state.tool === "move") {
    if (!by) return;
    moveTo(state.dy + by[0], state.dx + by[1]);
  } else if (by) {
    const bound = (i) => Math.max(0, Math.min(SIDE - 1, i));
    const cursor = { row: bound(state.cursor.row + by[0]),
                     column: bound(state.cursor.column + by[1]) };
    state.cursor = cursor;
    showStage();
    say(`Row ${cursor.row + 1}, column ${cursor.column + 1}`);
  } else if (event.key === " ") {
    stroke(state.cursor.row, state.cursor.column);
  } else {
    return;
  }
  event.preventDefault();
}

function listenToMap() {
  const canvas = get("map");
  canvas.addEventListener("pointerdown", (event) => {
    const { row, column } = under(event, canvas, derived.map.side);
    choosePlace(row * derived.map.side + column);
  });
  canvas.addEventListener("keydown", (event) => {
    const by = arrow(event);
    if (!by) return;
    event.preventDefault();
    const { row, column } = cellPlace();
    const n = derived.map.side;
    const [r, c] = [row + by[0], column + by[1]];
    if (r < 0 || c < 0 || r >= n || c >= n) return;
    choosePlace(r * n + c);
    say(`${get("cell-words").textContent} ${get("sum").textContent}`);
  });
}

// An experiment states all settings, so that each begins from the same layer.
function experiment(changes) {
  change({ ...LAYER, swapped: false, cell: null, ...changes });
  get("verdict").scrollIntoView({ block: "nearest" });
}

function listen() {
  listenToImage();
  listenToMap();
  get("settings").addEventListener("submit", (event) => event.preventDefault());
  get("pooling").addEventListener("change", (e) => change({ pooling: e.target.checked }));
  get("swapped").addEventListener("change", (e) => change({ swapped: e.target.checked }));
  get("clear").addEventListener("click", () => choose("0".repeat(SIDE * SIDE)));
  get("restart").addEventListener("click", restart);
  get("play").addEventListener("click", play);
  get("back").addEventListener("click", () => step(-1));
  get("step").addEventListener("click", () => step(1));
  get("speed").addEventListener("change", () => {
    if (timer === null) return;
    stopSweep();
    play();
  });
  for (const button of document.querySelectorAll("[data-move]")) {
    const [dy, dx] = button.dataset.move.split(" ").map(Number);
    button.addEventListener("click", () => moveTo(state.dy + dy, state.dx + dx));
  }
  for (const button of document.querySelectorAll("[data-try]")) {
    button.addEventListener("click", () => experiment(JSON.parse(button.dataset.try)));
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    drawSamples();
    update();
  });
}

makeChoices();
makeFilters();
makeSamples();
drawSamples();
listen();
choose(SAMPLES[0].pixels);

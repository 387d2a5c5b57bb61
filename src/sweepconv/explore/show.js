// What follows from the state, shown; `update` asks for it.

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

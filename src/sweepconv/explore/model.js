// The state of the page, and what follows from it.

const SIDE = 28;
const REACH = 14; // of the plot: half of the image, all there is on a ring
const LAYER = { stride: 1, padding: "circular", pooling: false };

const get = (id) => document.getElementById(id);
const SAMPLES = JSON.parse(get("data").textContent);

const state = {
  start: grid(SIDE, new Uint8Array(SIDE * SIDE)), // ink before the move, 0 to 9
  dy: 0, dx: 0, swapped: false,
  tool: "move", cursor: { row: 14, column: 14 },
  taps: makeTaps("semicircle", 5), filter: "semicircle", ...LAYER,
  cell: null, // of the map: the one that is looked at; null before any is chosen
  made: Infinity, // cells of the map made so far, while a sweep goes on
};
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
  const shared = inside && output.values[row * n + column] === best.value;
  if (shared) Object.assign(best, { row, column });
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

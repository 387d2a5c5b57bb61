// Pure arithmetic on grids: { side, values }, a square of numbers stored row by row. No state and
// no document here: the tests call these functions and compare them with sweepconv.

function grid(side, values) {
  return { side, values };
}

function mod(i, n) {
  return ((i % n) + n) % n;
}

function pixel(x, row, column, circular) {
  const n = x.side;
  if (circular) return x.values[mod(row, n) * n + mod(column, n)];
  return row < 0 || column < 0 || row >= n || column >= n ? 0 : x.values[row * n + column];
}

// What the filter's window holds when its first tap lies at (row, column).
function windowAt(x, k, row, column, circular) {
  const values = [];
  for (let a = 0; a < k; a++) {
    for (let b = 0; b < k; b++) values.push(pixel(x, row + a, column + b, circular));
  }
  return grid(k, values);
}

// With a border all around, so that the sweep below needs not ask where the image ends.
function padded(x, padding, circular) {
  const side = x.side + 2 * padding;
  const values = new Float64Array(side * side);
  for (let p = 0; p < values.length; p++) {
    const [row, column] = [Math.floor(p / side) - padding, (p % side) - padding];
    values[p] = pixel(x, row, column, circular);
  }
  return grid(side, values);
}

// y[p] = sum over taps t of w[t] * x[p*stride + t - padding]; nothing is flipped. The order of the
// sum is that of the taps at every place, so equal windows give equal bits.
function conv(x, w, { stride = 1, padding = 0, circular = false } = {}) {
  const k = w.side;
  const wide = padded(x, padding, circular);
  const side = Math.floor((wide.side - k) / stride) + 1;
  const y = new Float64Array(side * side);
  for (let p = 0; p < y.length; p++) {
    const first = Math.floor(p / side) * stride * wide.side + (p % side) * stride;
    let sum = 0;
    for (let a = 0; a < k; a++) {
      for (let b = 0; b < k; b++) {
        sum += w.values[a * k + b] * wide.values[first + a * wide.side + b];
      }
    }
    y[p] = sum;
  }
  return grid(side, y);
}

// The greatest of each window of n x n; windows do not overlap, and what is left over is dropped.
function maxPool(y, n) {
  const side = Math.floor(y.side / n);
  const pooled = new Float64Array(side * side);
  for (let p = 0; p < pooled.length; p++) {
    const corner = windowAt(y, n, Math.floor(p / side) * n, (p % side) * n, false);
    pooled[p] = Math.max(...corner.values);
  }
  return grid(side, pooled);
}

// The whole layer: x to its output. `layer` is { taps, stride, padding, pooling }.
function respond(x, layer) {
  const same = (layer.taps.side - 1) / 2; // as many rows and columns of output as of input
  const y = conv(x, layer.taps, {
    stride: layer.stride,
    padding: layer.padding === "none" ? 0 : same,
    circular: layer.padding === "circular",
  });
  return { map: y, output: layer.pooling ? maxPool(y, 2) : y };
}

// Moved down by dy and right by dx; what leaves on one side comes in on the other.
function roll(x, dy, dx) {
  const n = x.side;
  const values = x.values.map((_, p) => pixel(x, Math.floor(p / n) - dy, (p % n) - dx, true));
  return grid(n, values);
}

// The same for a map. Only circular padding tells what comes in; else NaN stands for "unknown".
function moveMap(y, dy, dx, circular) {
  if (circular) return roll(y, dy, dx);
  const n = y.side;
  const values = new Float64Array(n * n).fill(NaN);
  for (let r = Math.max(0, dy); r < Math.min(n, n + dy); r++) {
    for (let c = Math.max(0, dx); c < Math.min(n, n + dx); c++) {
      values[r * n + c] = y.values[(r - dy) * n + c - dx];
    }
  }
  return grid(n, values);
}

// Cell by cell: 0 equal bits, 1 unequal, -1 nothing to compare with.
function difference(expected, actual) {
  const marks = Array.from(expected.values, (e, p) =>
    Number.isNaN(e) ? -1 : Number(e !== actual.values[p]));
  let largest = 0;
  marks.forEach((mark, p) => {
    if (mark === 1) {
      largest = Math.max(largest, Math.abs(expected.values[p] - actual.values[p]));
    }
  });
  const count = (kind) => marks.filter((mark) => mark === kind).length;
  return { marks, unequal: count(1), compared: marks.length - count(-1), largest };
}

// The greatest value and its first cell, and how many cells share it.
function peak(y) {
  const value = y.values.reduce((a, b) => Math.max(a, b), -Infinity);
  const cell = y.values.indexOf(value);
  const ties = y.values.filter((v) => v === value).length;
  return { value, row: Math.floor(cell / y.side), column: cell % y.side, ties };
}

// A strong filter made for x where it lies: x less its mean, so that plain paper gives 0. All is
// times the number of pixels, which keeps whole numbers whole.
function strongFilter(x) {
  const total = x.values.reduce((a, b) => a + b, 0);
  return grid(x.side, Float64Array.from(x.values, (v) => v * x.values.length - total));
}

function dense(x, w) {
  return x.values.reduce((sum, v, p) => sum + v * w.values[p], 0);
}

// A shift on a circle of n: the shortest of the ways, as -n/2 < shift <= n/2.
function shortest(shift, n) {
  const forward = mod(shift, n);
  return forward > n / 2 ? forward - n : forward;
}

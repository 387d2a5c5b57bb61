// The weak filters to choose from, as formulas, so that each exists in every size. A stroke counts
// 2, what should be empty counts -1.

const FILTERS = {
  semicircle: { name: "Semicircle", tap: onSemicircle },
  angle: { name: "Angle", tap: onAngle },
  horizontal: { name: "Edge, top to bottom", tap: (r, c, k) => Math.sign(2 * r - k + 1) },
  vertical: { name: "Edge, left to right", tap: (r, c, k) => Math.sign(2 * c - k + 1) },
};

// The top of a "2": the upper half of a circle as wide as the filter, in the upper rows.
function onSemicircle(r, c, k) {
  const half = (k - 1) / 2;
  const fromCircle = Math.abs(Math.hypot(r - half - 0.5, c - half) - half);
  return r <= half + 0.5 && fromCircle <= 0.75 ? 2 : -1;
}

// The foot of a "2": the diagonal that comes down from the right, and the base that it meets.
function onAngle(r, c, k) {
  return r === k - 1 || r + c === k - 1 ? 2 : -1;
}

function makeTaps(name, k) {
  const tap = FILTERS[name].tap;
  return grid(k, Array.from({ length: k * k }, (_, t) => tap(Math.floor(t / k), t % k, k)));
}

// Taps in another size, about the same centre; new ones are 0.
function resizeTaps(taps, k) {
  const off = (taps.side - k) / 2;
  return windowAt(taps, k, off, off, false);
}

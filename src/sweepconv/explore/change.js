// What changes the image and the layer. All changes go through `change`.

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

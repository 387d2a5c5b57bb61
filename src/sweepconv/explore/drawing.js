// Canvases and the plot. Colours come from the style sheet, so that light and dark are said once.

const PIXELS = 560; // of a canvas, across: a multiple of 28, so that cells of the image are even

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function rgb(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

// A colour between two, t from 0 to 1.
function blend(from, to, t) {
  const [a, b] = [rgb(from), rgb(to)];
  return `rgb(${a.map((v, i) => Math.round(v + (b[i] - v) * t)).join(" ")})`;
}

function palette() {
  const names = ["paper", "ink", "positive", "negative", "mark", "halo", "unequal", "unknown",
                 "zero", "line", "soft"];
  return Object.fromEntries(names.map((name) => [name, colour(name)]));
}

// The canvas made fresh, and a function that paints one cell of a grid of `side` cells across.
function begin(canvas, side) {
  canvas.width = canvas.height = PIXELS;
  const context = canvas.getContext("2d");
  const at = (i) => Math.round((i * PIXELS) / side);
  const box = (row, column, size = 1) =>
    [at(column), at(row), at(column + size) - at(column), at(row + size) - at(row)];
  const fill = (row, column, style) => {
    context.fillStyle = style;
    context.fillRect(...box(row, column));
  };
  return { context, box, fill, side };
}

function eachCell(y, paint) {
  y.values.forEach((value, p) => paint(value, Math.floor(p / y.side), p % y.side, p));
}

// Signed values: blue above 0, orange below. `scale` is the size that gets the full colour.
function signed(value, scale, colours) {
  if (!scale || !value) return colours.zero;
  return blend(colours.zero, value > 0 ? colours.positive : colours.negative,
               Math.min(1, Math.abs(value) / scale));
}

function greatest(y) {
  return y.values.reduce((a, b) => (Number.isNaN(b) ? a : Math.max(a, Math.abs(b))), 0);
}

// A frame that is seen on any colour: the mark, with a halo on both of its sides. Parts that lie
// over the border of the canvas are drawn again on the other side if `circular`.
function frame(board, row, column, size, colours, circular = false) {
  const turns = circular ? [-board.side, 0, board.side] : [0];
  for (const up of turns) {
    for (const across of turns) {
      const box = board.box(row + up, column + across, size);
      for (const [width, style] of [[9, colours.halo], [4, colours.mark]]) {
        board.context.lineWidth = width;
        board.context.strokeStyle = style;
        board.context.strokeRect(...box);
      }
    }
  }
}

function ring(board, row, column, colours) {
  const [x, y, width] = board.box(row, column);
  for (const [line, style] of [[10, colours.halo], [5, colours.mark]]) {
    board.context.lineWidth = line;
    board.context.strokeStyle = style;
    board.context.beginPath();
    board.context.arc(x + width / 2, y + width / 2, Math.max(width, 22), 0, 2 * Math.PI);
    board.context.stroke();
  }
}

function drawImage(canvas, x, { window, cursor, circular }) {
  const colours = palette();
  const board = begin(canvas, x.side);
  eachCell(x, (v, r, c) => board.fill(r, c, blend(colours.paper, colours.ink, v / 9)));
  if (window) frame(board, window.row, window.column, window.size, colours, circular);
  if (cursor) frame(board, cursor.row, cursor.column, 1, colours);
}

// `made` cells are shown, the rest is still to come; `best` is ringed, `cell` framed.
function drawMap(canvas, y, { scale = greatest(y), made = y.values.length, best, cell } = {}) {
  const colours = palette();
  const board = begin(canvas, y.side);
  eachCell(y, (v, r, c, p) => {
    if (p < made && !Number.isNaN(v)) board.fill(r, c, signed(v, scale, colours));
    else hatch(board, r, c, colours);
  });
  if (best) ring(board, best.row, best.column, colours);
  if (cell) frame(board, cell.row, cell.column, 1, colours);
}

function hatch(board, row, column, colours) {
  board.fill(row, column, colours.paper);
  const [x, y, width, height] = board.box(row, column);
  board.context.strokeStyle = colours.unknown;
  board.context.lineWidth = 2;
  board.context.beginPath();
  board.context.moveTo(x, y + height);
  board.context.lineTo(x + width, y);
  board.context.stroke();
}

function drawDifference(canvas, side, marks) {
  const colours = palette();
  const board = begin(canvas, side);
  marks.forEach((mark, p) => {
    const [row, column] = [Math.floor(p / side), p % side];
    if (mark < 0) hatch(board, row, column, colours);
    else board.fill(row, column, mark ? colours.unequal : colours.zero);
    if (mark > 0) cross(board, row, column, colours);
  });
}

// Not by colour alone.
function cross(board, row, column, colours) {
  const [x, y, width, height] = board.box(row, column);
  const inset = width / 4;
  board.context.strokeStyle = colours.paper;
  board.context.lineWidth = Math.max(2, width / 10);
  board.context.beginPath();
  board.context.moveTo(x + inset, y + inset);
  board.context.lineTo(x + width - inset, y + height - inset);
  board.context.moveTo(x + width - inset, y + inset);
  board.context.lineTo(x + inset, y + height - inset);
  board.context.stroke();
}

// The strong filter, with dots where the digit lies now.
function drawStrong(canvas, w, digit) {
  const colours = palette();
  const board = begin(canvas, w.side);
  const scale = greatest(w);
  eachCell(w, (v, r, c) => board.fill(r, c, signed(v, scale, colours)));
  eachCell(digit, (v, r, c) => {
    if (v < 5) return;
    const [left, top, width] = board.box(r, c);
    for (const [radius, style] of [[5, colours.halo], [3, colours.mark]]) {
      board.context.fillStyle = style;
      board.context.beginPath();
      board.context.arc(left + width / 2, top + width / 2, radius, 0, 2 * Math.PI);
      board.context.fill();
    }
  });
}

// Response against shift, as SVG: `curves` is [{ name, style, points: [[dx, share or null]] }].
const PLOT = { width: 560, height: 300, left: 52, right: 16, top: 16, bottom: 46 };

function plotX(dx, reach) {
  const inner = PLOT.width - PLOT.left - PLOT.right;
  return PLOT.left + ((dx + reach) / (2 * reach)) * inner;
}

function plotY(v, highest) {
  const inner = PLOT.height - PLOT.top - PLOT.bottom;
  return PLOT.top + ((highest - Math.max(-0.5, v)) / (highest + 0.5)) * inner;
}

function plotAxes(reach, highest) {
  const parts = [];
  for (const v of [-0.5, 0, 0.5, 1]) {
    const y = plotY(v, highest);
    const line = `M${PLOT.left} ${y}H${PLOT.width - PLOT.right}`;
    parts.push(`<path class="${v ? "grid" : "axis"}" d="${line}"/>`
      + `<text x="${PLOT.left - 8}" y="${y + 4}" text-anchor="end">${share(v)}</text>`);
  }
  for (let dx = -12; dx <= 12; dx += 4) {
    parts.push(`<text x="${plotX(dx, reach)}" y="${PLOT.height - 24}" text-anchor="middle">`
      + `${number(dx)}</text>`);
  }
  parts.push(`<text x="${(PLOT.left + PLOT.width - PLOT.right) / 2}" y="${PLOT.height - 4}" `
    + 'text-anchor="middle">pixels to the right of the start</text>');
  return parts.join("");
}

function plotCurve(curve, reach, highest) {
  const known = curve.points.filter(([, v]) => v !== null);
  const at = known.map(([dx, v]) => [plotX(dx, reach).toFixed(1), plotY(v, highest).toFixed(1)]);
  const dot = (x, y) => (curve.style === "weak" ? `<circle cx="${x}" cy="${y}" r="4.5"/>`
    : `<rect x="${x - 4}" y="${y - 4}" width="8" height="8"/>`);
  return `<g class="${curve.style}"><path d="M${at.map((p) => p.join(" ")).join("L")}"/>`
    + `${at.map(([x, y]) => dot(x, y)).join("")}</g>`;
}

function drawPlot(svg, curves, now, reach) {
  const x = plotX(now, reach);
  const drawn = curves.filter((curve) => curve.points.some(([, v]) => v !== null));
  const highest = Math.max(1.1, ...drawn.flatMap((curve) => curve.points.map(([, v]) => v)));
  svg.setAttribute("viewBox", `0 0 ${PLOT.width} ${PLOT.height}`);
  svg.innerHTML = plotAxes(reach, highest)
    + `<path class="now" d="M${x} ${PLOT.top}V${PLOT.height - PLOT.bottom}"/>`
    + drawn.map((curve) => plotCurve(curve, reach, highest)).join("");
}

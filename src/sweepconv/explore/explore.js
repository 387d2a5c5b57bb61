// Pointer and keys, and the start of it all.

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

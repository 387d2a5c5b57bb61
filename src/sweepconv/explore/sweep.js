// The sweep: which cell of the map is looked at, and how much of the map is made.

const calm = matchMedia("(prefers-reduced-motion: reduce)");
let timer = null; // while the sweep plays

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

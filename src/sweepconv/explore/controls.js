// The controls: made from what they offer, and kept in step with the state.

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

// The figures in words.

const MINUS = "\u2212";

function number(v) {
  const text = Number.isInteger(v) ? String(v) : String(Number(v.toPrecision(5)));
  return text.replace("-", MINUS);
}

function share(v) {
  return v === null ? "no figure" : `${Math.round(100 * v)}\u00a0%`.replace("-", MINUS);
}

function pair(dy, dx) {
  return `(${number(dy)}, ${number(dx)})`;
}

function plural(n, thing) {
  return `${number(n)} ${thing}${n === 1 ? "" : "s"}`;
}

// (2, -1) as "2 down and 1 left".
function way(dy, dx) {
  const parts = [];
  if (dy) parts.push(`${Math.abs(dy)} ${dy > 0 ? "down" : "up"}`);
  if (dx) parts.push(`${Math.abs(dx)} ${dx > 0 ? "right" : "left"}`);
  return parts.join(" and ") || "not at all";
}

// Why equality is promised, or what breaks it, from whole numbers alone: the picture is not seen.
function promise(layer, side, dy, dx) {
  const step = layer.stride * (layer.pooling ? 2 : 1);
  const steps = layer.pooling ? `the step of ${step} (stride ${layer.stride}, then pooling by 2)`
    : `the stride ${step}`;
  if (!dy && !dx) {
    return { holds: true, why: "Not moved yet: drag the digit, or press an arrow." };
  }
  if (dy % step || dx % step) {
    return { holds: false, why: `The digit moved ${way(dy, dx)}, which is no multiple of ${steps}: `
      + "no shift of the map can match it. The nearest one is drawn." };
  }
  if (layer.padding === "circular" && side % step) {
    return { holds: false, why: `${side} pixels are no multiple of ${steps}: `
      + "where the image is closed to a ring, the places of the filter do not go on evenly." };
  }
  if (layer.padding === "zeros") {
    return { holds: false, why: "Zero padding: windows that reach over the border see zeros, "
      + "not what lies on the other side. Equality is promised for all others." };
  }
  if (layer.padding === "none") {
    return { holds: true, why: "Without padding every window lies inside of the image: promised "
      + "for all cells that were on the map before the move." };
  }
  return { holds: true, why: "Circular padding and a whole number of steps: "
    + "promised for every cell and every image." };
}

function verdict(result) {
  if (!result.compared) return "Nothing to compare: the whole map is new.";
  if (!result.unequal) return `Equal bits in all ${plural(result.compared, "cell")}.`;
  return `${number(result.unequal)} of ${plural(result.compared, "cell")} unequal, `
    + `by ${number(result.largest)} at most.`;
}

function reason(result, promised) {
  if (promised.holds || result.unequal || !result.compared) return promised.why;
  return `${promised.why} This image happens to be equal all the same.`;
}

function followed(dy, dx) {
  return dy || dx ? `moved ${way(dy, dx)}, in pixels` : "did not move";
}

// One sentence for every figure on the page, for those who hear it.
function inWords(f) {
  const moved = f.dy || f.dx;
  return [
    moved ? `The digit moved ${way(f.dy, f.dx)}.` : "The digit lies at its start.",
    f.empty ? "The map has no maximum: it is the same everywhere."
      : `The maximum of the map is ${number(f.peak.value)}${moved
        ? ` and ${followed(...f.peakPixels)}` : ""}.`,
    verdict(f.result),
    `The strong filter gives ${share(f.strongShare)} of its response at the start, `
      + `the best place of the weak filter ${share(f.weakShare)}.`,
  ].join(" ");
}

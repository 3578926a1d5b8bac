// The heat map: slots over the key space, over time. And below it, flushes and merges.

const heat = { rows: [], place: new Map(), max: {} };

/** Where each slot that was ever shown begins: the rows, by key. */
function layRows(frames) {
  const keyspaces = new Map();
  const lows = new Map();
  for (let at = frames.length - 1; at >= 0; at -= 1) {
    if (at < frames.length - 1 && frames[at].slots === frames[at + 1].slots) {
      continue;
    }
    for (const slot of frames[at].slots) {
      if (!keyspaces.has(slot.keyspace)) {
        keyspaces.set(slot.keyspace, keyspaces.size);
      }
      lows.set(slot.keyspace + "\u0000" + slot.lo, slot);
    }
  }
  const rows = [...lows].sort(([, a], [, b]) => {
    const order = keyspaces.get(a.keyspace) - keyspaces.get(b.keyspace);
    return order !== 0 ? order : compareKeys(a.lo, b.lo);
  });
  heat.rows = rows.map(([, slot]) => slot);
  heat.place = new Map(rows.map(([name], at) => [name, at]));
}

function rowOf(slot) {
  return heat.place.get(slot.keyspace + "\u0000" + slot.lo);
}

/** From 0 to 1, by what colours show. */
function valueOf(slot) {
  const log = (value, max) => (max > 0 ? Math.log1p(value) / Math.log1p(max) : 0);
  switch (view.by) {
    case "runs":
      return slot.k > 0 ? slot.runs / slot.k / 2 : slot.runs / 24;
    case "writes":
      return log(slot.writes_per_s, heat.max.writes);
    case "reads":
      return log(slot.reads_per_s, heat.max.reads);
    default:
      return slot.heat;
  }
}

function drawHeat() {
  const canvas = $("heat-map");
  const { pen, width, height } = prepare(canvas);
  const rows = height - GUTTER.bottom;
  const { from, to } = span();
  const start = Math.max(0, frameAt(from) - 1);
  const frames = model.frames.slice(start);
  layRows(frames);
  heat.max = { writes: 0, reads: 0 };
  for (const frame of frames) {
    for (const slot of frame.slots) {
      heat.max.writes = Math.max(heat.max.writes, slot.writes_per_s);
      heat.max.reads = Math.max(heat.max.reads, slot.reads_per_s);
    }
  }
  const y = (row) => (row / Math.max(1, heat.rows.length)) * rows;
  heat.y = y;
  heat.x = timeScale(0, width);
  paint(pen, frames, width, rows, from, to);
  drawChoices(pen);
  drawSelected(pen, frames);
  drawTimes(pen, heat.x, 0, width, rows + 6);
  drawKeys(y);
  drawCells(y, rows);
  drawRamp();
}

/** A column of pixels for each step of time; every pixel gets its slot's colour. */
function paint(pen, frames, width, rows, from, to) {
  const image = new ImageData(Math.max(1, Math.floor(width)), Math.max(1, Math.floor(rows)));
  const pixels = new Uint32Array(image.data.buffer);
  const packed = ramp().map(([r, g, b]) => (0xff << 24) | (b << 16) | (g << 8) | r);
  const empty = channels(colour("panel"));
  const gap = (0xff << 24) | (empty[2] << 16) | (empty[1] << 8) | empty[0];
  const column = new Uint32Array(image.height);
  let at = -1;
  for (let x = 0; x < image.width; x += 1) {
    const t = from + ((x + 0.5) / image.width) * (to - from);
    let next = Math.max(at, 0);
    while (next + 1 < frames.length && frames[next + 1].t <= t) {
      next += 1;
    }
    if (next !== at) {
      at = next;
      fillColumn(column, frames[at].slots, packed, gap, image.height);
    }
    for (let row = 0; row < image.height; row += 1) {
      pixels[row * image.width + x] = column[row];
    }
  }
  const sheet = document.createElement("canvas");
  sheet.width = image.width;
  sheet.height = image.height;
  sheet.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(sheet, 0, 0, width, rows);
}

function fillColumn(column, slots, packed, gap, height) {
  slots.forEach((slot, n) => {
    const top = Math.round(heat.y(rowOf(slot)));
    const after = n + 1 < slots.length ? rowOf(slots[n + 1]) : heat.rows.length;
    const bottom = Math.min(height, Math.round(heat.y(after)));
    const value = Math.max(0, Math.min(1, valueOf(slot)));
    column.fill(packed[Math.round(value * 255)], top, bottom);
    if (bottom - top > 5) {
      column[bottom - 1] = gap;
    }
  });
}

/** The row's middle of a slot at the end of a frame, and how high it is. */
function band(frame, id) {
  const at = frame.slots.findIndex((slot) => slot.id === id);
  if (at < 0) {
    return null;
  }
  const after = at + 1 < frame.slots.length ? rowOf(frame.slots[at + 1]) : heat.rows.length;
  return { top: heat.y(rowOf(frame.slots[at])), bottom: heat.y(after) };
}

/** A dot where a merge ended, as large as what it wrote. */
function drawChoices(pen) {
  const { from } = span();
  const fills = { chosen: colour("chosen"), drawn: colour("drawn"), forced: colour("forced") };
  pen.lineWidth = 1;
  pen.strokeStyle = colour("panel");
  for (const work of model.work) {
    if (work.kind !== "merge" || work.to < from) {
      continue;
    }
    // Before the frame that tells of it the slot may not have been cut yet.
    const frame = model.frames[Math.min(frameAt(work.to), model.frames.length - 1)];
    const place = band(frame, work.slot);
    if (place === null) {
      continue;
    }
    const size = Math.max(1.2, Math.min(4, Math.log2(1 + work.what.bytes_written / 65536) * 0.8));
    pen.beginPath();
    pen.arc(heat.x(work.to), (place.top + place.bottom) / 2, size, 0, 7);
    pen.fillStyle = fills[work.how];
    pen.fill();
    if (size > 2) {
      pen.stroke();
    }
  }
}

function drawSelected(pen, frames) {
  if (view.slot === null) {
    return;
  }
  pen.strokeStyle = colour("select");
  pen.lineWidth = 2;
  pen.beginPath();
  let drawn = null;
  for (const frame of frames) {
    const place = band(frame, view.slot);
    const x = heat.x(frame.t);
    for (const edge of ["top", "bottom"]) {
      if (place !== null && drawn !== null) {
        pen.moveTo(heat.x(drawn.t), drawn[edge]);
        pen.lineTo(x, drawn[edge]);
        pen.lineTo(x, place[edge]);
      }
    }
    drawn = place === null ? null : { ...place, t: frame.t };
  }
  pen.stroke();
}

function drawKeys(y) {
  const keys = $("keys");
  keys.replaceChildren();
  let free = -20;
  heat.rows.forEach((slot, row) => {
    const top = y(row);
    if (top - free >= 14) {
      const words = slot.lo === "" ? "first" : slot.lo;
      const label = make("span", "", make("bdi", "", words));
      label.style.top = top + 1 + "px";
      keys.append(label);
      free = top;
    }
  });
}

/** The last column: a button for each slot. Kept from frame to frame, so that focus stays. */
function drawCells(y, rows) {
  const box = $("now");
  const frame = last();
  const old = new Map([...box.children].map((cell) => [Number(cell.dataset.slot), cell]));
  frame.slots.forEach((slot, n) => {
    const cell = old.get(slot.id) || make("button", "cell");
    old.delete(slot.id);
    const top = y(rowOf(slot));
    const after = n + 1 < frame.slots.length ? rowOf(frame.slots[n + 1]) : heat.rows.length;
    const high = Math.max(1, Math.min(rows, y(after)) - top);
    const shade = rampColour(valueOf(slot));
    cell.type = "button";
    cell.dataset.slot = slot.id;
    cell.setAttribute("role", "option");
    cell.setAttribute("aria-selected", String(view.slot === slot.id));
    cell.setAttribute("aria-label", slotWords(slot));
    cell.classList.toggle("busy", slot.busy && high >= 9);
    cell.style.top = top + "px";
    cell.style.height = high + "px";
    cell.style.background = "rgb(" + shade.join(",") + ")";
    cell.style.color = inkOn(shade);
    const words = high >= 9 ? slot.id + "  " + slot.runs + "/" + slot.k : "";
    if (cell.textContent !== words) {
      cell.textContent = words;
    }
    if (box.children[n] !== cell) {
      box.insertBefore(cell, box.children[n] || null);
    }
  });
  old.forEach((cell) => cell.remove());
  $("slot-count").textContent = plural(frame.slots.length, "slot", "slots");
}

const RAMP_WORDS = {
  heat: ["cold", "hot"],
  runs: ["no runs", "twice K"],
  writes: ["none", "most, by logarithm"],
  reads: ["none", "most, by logarithm"],
};

function drawRamp() {
  const canvas = $("ramp");
  const pen = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x += 1) {
    pen.fillStyle = "rgb(" + rampColour(x / (canvas.width - 1)).join(",") + ")";
    pen.fillRect(x, 0, 1, canvas.height);
  }
  $("ramp-words").textContent = RAMP_WORDS[view.by].join(" to ");
}

/** Frame and slot under the mouse. */
function heatAt(event) {
  const box = $("heat-map").getBoundingClientRect();
  const t = heat.x.back(event.clientX - box.left);
  const frame = model.frames[Math.max(0, Math.min(frameAt(t), model.frames.length - 1))];
  const y = event.clientY - box.top;
  const inside = frame.slots.find((slot) => {
    const place = band(frame, slot.id);
    return y >= place.top && y < place.bottom;
  });
  return inside === undefined ? null : { frame, slot: inside };
}

const LANES = 4;
const LANE = 15;

/** Flushes in one lane, merges in as many as run at once. */
function drawWork() {
  const { pen, width, height } = prepare($("work"));
  const right = width - GUTTER.right;
  const x = timeScale(GUTTER.left, right);
  const { from } = span();
  const ends = new Array(LANES).fill(-Infinity);
  view.bars = [];
  pen.fillStyle = colour("quiet");
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.fillText("flushes", GUTTER.left - 8, 9);
  pen.fillText("merges", GUTTER.left - 8, 9 + LANE + 6);
  const lane = (begins) => {
    const free = ends.findIndex((end) => end <= begins);
    return free >= 0 ? free : ends.indexOf(Math.min(...ends));
  };
  const bar = (work, fill, y) => {
    const begins = Math.max(GUTTER.left, x(work.from));
    const wide = Math.max(2, x(work.to) - begins);
    pen.globalAlpha = view.slot !== null && work.slot !== view.slot ? 0.3 : 0.92;
    pen.fillStyle = fill;
    pen.fillRect(begins, y, wide, LANE - 4);
    view.bars.push({ left: begins, right: begins + wide, top: y, bottom: y + LANE - 4, work });
  };
  for (const work of model.work.filter((each) => each.to >= from)) {
    if (work.kind === "flush") {
      bar(work, colour("flush"), 3);
    } else {
      const n = lane(work.from);
      ends[n] = work.to;
      bar(work, colour(work.how), 3 + LANE + 6 + n * LANE);
    }
  }
  for (const merge of last().merges || []) {
    const to = last().t;
    const begins = to - merge.ms;
    const n = lane(begins);
    ends[n] = Infinity;
    const y = 3 + LANE + 6 + n * LANE;
    bar({ kind: "running", slot: merge.slot, from: begins, to, what: merge }, colour("quiet"), y);
    pen.globalAlpha = 1;
    pen.fillStyle = colour("accent");
    pen.fillRect(right + 8, y, 60 * merge.done, LANE - 4);
    pen.strokeStyle = colour("accent");
    pen.strokeRect(right + 8.5, y + 0.5, 60, LANE - 5);
  }
  pen.globalAlpha = 1;
  drawTimes(pen, x, GUTTER.left, right, height - 14);
}

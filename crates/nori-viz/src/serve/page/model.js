"use strict";
// What is known of the store: the frames of a recording or of the endpoint, line by line.

const FRAMES_MAX = 2400;
const model = { header: null, frames: [], choices: [], work: [], first: 0 };

/** Takes lines of a recording; the first is a header. Says whether anything is new. */
function take(text) {
  const lines = text.split("\n").filter((line) => line !== "");
  const header = JSON.parse(lines[0]);
  if (header.format !== "nori-viz" || header.version !== 1) {
    throw new Error("the endpoint speaks version " + header.version + "; reload the page");
  }
  if (model.header === null || model.header.began !== header.began) {
    model.frames = [];
    model.choices = [];
    model.work = [];
  }
  const news = lines.length > 1 || model.header === null || model.header.ended !== header.ended;
  model.header = header;
  for (const line of lines.slice(1)) {
    takeFrame(JSON.parse(line));
  }
  const over = model.frames.length - FRAMES_MAX;
  if (over > 0) {
    model.frames.splice(0, over);
  }
  const from = model.frames.length > 0 ? model.frames[0].t : 0;
  model.work = model.work.filter((work) => work.to >= from).slice(-20000);
  model.choices = model.choices.slice(-2000);
  return news;
}

function takeFrame(line) {
  const before = model.frames[model.frames.length - 1];
  if (line.slots === undefined) {
    const known = new Map(before.slots.map((slot) => [slot.id, slot]));
    for (const slot of line.changed || []) {
      known.set(slot.id, slot);
    }
    const order = line.order || before.slots.map((slot) => slot.id);
    line.slots = order.map((id) => known.get(id));
  } else if (before !== undefined && before.n >= line.n) {
    // The endpoint forgot what we knew and tells all again.
    model.frames = [];
    model.choices = [];
    model.work = [];
  }
  line.byId = new Map(line.slots.map((slot) => [slot.id, slot]));
  for (const choice of line.choices || []) {
    // Those of the first frame were before the watch began.
    model.choices.push({ ...choice, t: line.n === 0 ? null : line.t });
  }
  for (const event of line.events || []) {
    takeEvent(event.t, event.e);
  }
  model.frames.push(line);
}

function takeEvent(t, event) {
  const flush = event.Flush;
  const merge = event.Compaction;
  if (flush) {
    const from = t - flush.elapsed_us / 1000;
    model.work.push({ kind: "flush", from, to: t, bytes: flush.bytes_written, what: flush });
  } else if (merge) {
    const how = merge.forced ? "forced" : merge.explored ? "drawn" : "chosen";
    const from = t - merge.elapsed_us / 1000;
    const bytes = merge.bytes_read + merge.bytes_written;
    model.work.push({ kind: "merge", how, slot: merge.slot, from, to: t, bytes, what: merge });
  }
}

function last() {
  return model.frames[model.frames.length - 1];
}

const keyBytes = new Map();

/** The bytes of a key that was told as text. */
function bytesOf(text) {
  let bytes = keyBytes.get(text);
  if (bytes !== undefined) {
    return bytes;
  }
  const encoder = new TextEncoder();
  bytes = [];
  for (const part of text.split(/(\\x[0-9a-f]{2}|\\\\)/)) {
    if (part === "\\\\") {
      bytes.push(92);
    } else if (part.startsWith("\\x")) {
      bytes.push(parseInt(part.slice(2), 16));
    } else {
      bytes.push(...encoder.encode(part));
    }
  }
  if (keyBytes.size > 20000) {
    keyBytes.clear();
  }
  keyBytes.set(text, bytes);
  return bytes;
}

function compareKeys(a, b) {
  const left = bytesOf(a);
  const right = bytesOf(b);
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at += 1) {
    if (left[at] !== right[at]) {
      return left[at] - right[at];
    }
  }
  return left.length - right.length;
}

/** The first frame at or after a time, by halving. */
function frameAt(t) {
  let low = 0;
  let high = model.frames.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (model.frames[middle].t < t) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

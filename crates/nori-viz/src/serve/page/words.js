// Numbers and slots in words: tiles, details, the journal.

function bytes(n) {
  const names = ["B", "KiB", "MiB", "GiB", "TiB"];
  let step = 0;
  while (n >= 1023.95 && step + 1 < names.length) {
    n /= 1024;
    step += 1;
  }
  return (step === 0 ? Math.round(n) : n.toFixed(1)) + " " + names[step];
}

function count(n) {
  return Math.round(n).toLocaleString("en-US");
}

function short(n) {
  if (n < 10) {
    return String(Math.round(n * 10) / 10);
  }
  if (n < 10000) {
    return count(n);
  }
  return n < 1e6 ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + " k" : (n / 1e6).toFixed(2) + " M";
}

function plural(n, one, many) {
  return count(n) + " " + (n === 1 ? one : many);
}

function micros(us) {
  if (us < 1000) {
    return us + " µs";
  }
  return us < 1e6 ? (us / 1000).toFixed(1) + " ms" : (us / 1e6).toFixed(1) + " s";
}

function slotWords(slot) {
  return "slot " + slot.id + ": " + plural(slot.runs, "run", "runs") + ", may keep " + slot.k
    + ", heat " + slot.heat.toFixed(2) + ", " + bytes(slot.bytes) + (slot.busy ? ", merging" : "");
}

function rangeWords(slot) {
  const lo = slot.lo === "" ? "the first key" : slot.lo;
  return lo + " to " + (slot.hi === null || slot.hi === undefined ? "the end" : slot.hi);
}

function drawTiles() {
  const { rates, totals, amplification: amp, pressure } = last();
  const or = (value, words) => (value ? words : "–");
  const tiles = [
    [rates ? short(rates.writes) : "–", "writes/s", "puts and deletes"],
    [rates ? short(rates.reads) : "–", "reads of runs/s", "point reads that memtables did not answer"],
    [rates ? bytes(rates.user_bytes) : "–", "written by users/s", ""],
    [rates ? bytes(rates.merge_written) : "–", "written by merges/s", ""],
    [pressure.pressure.toFixed(2), pressure.pace === null ? "pressure" : "pressure, paced to " + bytes(pressure.pace) + "/s", "writers are slowed down from 0.5 on and wait at 1"],
    [or(amp.wa, amp.wa.toFixed(2)), "WA", "bytes written by flushes and merges for each byte of user data"],
    [or(amp.ra, amp.ra.toFixed(2)), "RA, probed " + or(amp.probed, amp.probed.toFixed(2)), "runs that a point read found, and looked into"],
    [or(amp.sa, amp.sa.toFixed(2)), "SA", "bytes against those of the oldest runs"],
    [count(last().slots.length), "slots, most runs " + totals.runs_max, ""],
    [bytes(totals.table_bytes), "in " + plural(totals.tables, "table", "tables"), ""],
    [bytes(totals.memory_bytes), "memory", "cached blocks, memtables, indexes and filters, buffers"],
    [count(last().dropped), "events lost", "dropped, because there were too many; " + count(last().counted) + " were only counted"],
  ];
  const box = $("tiles");
  while (box.children.length < tiles.length) {
    box.append(make("div", "tile", make("b", ""), make("span", "")));
  }
  tiles.forEach(([value, words, title], n) => {
    const [b, span] = box.children[n].children;
    b.textContent = value;
    span.textContent = words;
    box.children[n].title = title;
  });
}

function drawHead() {
  const { header } = model;
  const zone = last().pressure.zone || "green";
  $("store").textContent = header.store;
  $("zone").textContent = zone;
  $("zone").className = "chip zone " + zone;
  const words = header.ended ? "ended" : header.source === "directory" ? "directory" : "live";
  setState(view.paused ? "paused" : words, words === "live" && !view.paused ? "live" : "");
  const when = new Date(header.began + last().t);
  $("clock").textContent = when.toLocaleTimeString("en-GB");
  const unwell = [...(last().unwell || [])];
  if (header.source === "directory") {
    $("clock").textContent += " · a directory: no rates, events or merges under way";
  }
  $("unwell").hidden = unwell.length === 0;
  $("unwell").textContent = unwell.join("\n");
  const merges = last().merges || [];
  $("work-words").textContent = merges.length === 0
    ? "nothing is being merged"
    : merges.map((m) => "slot " + m.slot + ", " + Math.round(m.done * 100) + " %").join(" · ");
}

function setState(words, style) {
  $("state").textContent = words;
  $("state").className = "chip " + style;
}

/** One mark for each run, and a line where the budget ends. */
function budget(slot) {
  const box = make("span", "budget");
  for (let at = 0; at < Math.max(slot.runs, slot.k); at += 1) {
    if (at === slot.k) {
      box.append(make("i", "end"));
    }
    box.append(make("i", at >= slot.runs ? "" : at < slot.k ? "run" : "over"));
  }
  if (slot.k >= slot.runs) {
    box.append(make("i", "end"));
  }
  return box;
}

function drawDetails() {
  const box = $("details");
  const slot = view.slot === null ? undefined : last().byId.get(view.slot);
  box.dataset.slot = view.slot === null ? "" : String(view.slot);
  if (view.slot === null || slot === undefined) {
    const words = view.slot === null
      ? "Click a slot, or move through the last column with the arrow keys."
      : "Slot " + view.slot + " is not there any more: it joined a neighbour.";
    box.replaceChildren(make("h2", "", "Slot"), make("p", "empty", words));
    return;
  }
  const close = make("button", "", "close");
  close.type = "button";
  close.addEventListener("click", () => select(null));
  const title = make("h2", "", "Slot " + slot.id);
  const bar = make("div", "bar", title, make("span", "quiet", slot.keyspace),
    make("span", "grow"), close);
  const facts = make("dl", "facts");
  const fact = (name, ...value) => facts.append(make("dt", "", name), make("dd", "", ...value));
  fact("keys", make("code", "", rangeWords(slot)));
  fact("runs", budget(slot));
  fact("", slot.runs + " of at most " + slot.k + (slot.fragments > 0 ? ", " + slot.fragments + " parts of flushes" : ""));
  fact("heat", slot.heat.toFixed(2));
  fact("holds", bytes(slot.bytes) + " in " + plural(slot.tables, "table", "tables"));
  fact("entries", count(slot.entries) + (slot.tombstones > 0 ? ", " + count(slot.tombstones) + " deletes" : ""));
  fact("traffic", short(slot.reads_per_s) + " reads/s, " + bytes(slot.writes_per_s) + "/s written");
  fact("life", "WA " + slot.wa.toFixed(2) + ", RA " + slot.ra.toFixed(2) + ", SA " + slot.sa.toFixed(2));
  fact("merges", count(slot.compactions) + " since the store was opened");
  box.replaceChildren(bar, facts);
  const merge = (last().merges || []).find((each) => each.slot === slot.id);
  if (merge !== undefined) {
    const done = make("i", "");
    done.style.width = Math.round(merge.done * 100) + "%";
    fact("now", "merging " + merge.runs + " runs, " + bytes(merge.bytes) + ", for " + micros(merge.ms * 1000), make("div", "progress", done));
  } else if (slot.busy) {
    fact("now", "being cut, joined or merged");
  }
  const canvas = make("canvas", "");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "heat, runs and budget of the slot over time");
  box.append(canvas, make("p", "quiet", "runs (steps), budget K (line), heat (filled)"));
  drawSlotLife(canvas, slot.id);
}

function drawSlotLife(canvas, id) {
  const { pen, width, height } = prepare(canvas);
  const { from } = span();
  const frames = model.frames.slice(Math.max(0, frameAt(from) - 1)).filter((f) => f.byId.has(id));
  const x = timeScale(0, width);
  const most = Math.max(4, ...frames.map((f) => Math.max(f.byId.get(id).runs, f.byId.get(id).k)));
  const y = (part) => height - 2 - part * (height - 6);
  const line = (value, close) => {
    pen.beginPath();
    frames.forEach((frame, at) => {
      const place = Math.max(0, x(frame.t));
      if (at === 0) {
        pen.moveTo(place, y(value(frames[0])));
      } else {
        pen.lineTo(place, y(value(frames[at - 1])));
        pen.lineTo(place, y(value(frame)));
      }
    });
    if (close && frames.length > 0) {
      pen.lineTo(x(frames[frames.length - 1].t), height);
      pen.lineTo(Math.max(0, x(frames[0].t)), height);
      pen.fill();
    } else {
      pen.stroke();
    }
  };
  pen.globalAlpha = 0.28;
  pen.fillStyle = colour("forced");
  line((f) => f.byId.get(id).heat, true);
  pen.globalAlpha = 1;
  pen.lineWidth = 1.5;
  pen.strokeStyle = colour("s1");
  line((f) => f.byId.get(id).runs / most, false);
  pen.strokeStyle = colour("quiet");
  pen.setLineDash([4, 3]);
  line((f) => f.byId.get(id).k / most, false);
  pen.setLineDash([]);
}

const JOURNAL_MAX = 120;

function drawJournal() {
  const wanted = model.choices.filter((c) => view.slot === null || c.slot === view.slot);
  const shown = wanted.slice(-JOURNAL_MAX).reverse();
  $("journal-words").textContent = view.slot === null
    ? count(wanted.length) + " seen"
    : count(wanted.length) + " of slot " + view.slot;
  $("journal-all").hidden = view.slot === null;
  const box = $("journal");
  const state = view.slot + ":" + shown.map((c) => c.n).join();
  if (box.dataset.state === state) {
    return;
  }
  box.dataset.state = state;
  if (shown.length === 0) {
    const words = view.slot === null ? "No merge was decided on yet." : "No merge of this slot is remembered.";
    box.replaceChildren(make("li", "empty", words));
    return;
  }
  box.replaceChildren(...shown.map(journalItem));
}

function journalItem(choice) {
  const slot = make("button", "slot", "slot " + choice.slot);
  slot.type = "button";
  slot.addEventListener("click", () => select(choice.slot));
  const when = choice.t === null
    ? "before"
    : new Date(model.header.began + choice.t).toLocaleTimeString("en-GB");
  const head = make("div", "head", slot, make("b", "badge " + choice.how, choice.how),
    make("span", "", choice.reason), make("span", "grow"), make("span", "quiet", when));
  const numbers = choice.runs + " of " + choice.runs_before + " runs · " + bytes(choice.bytes_read)
    + " read, " + bytes(choice.bytes_written) + " written · " + micros(choice.elapsed_us)
    + (typeof choice.ratio === "number" ? " · paid " + choice.ratio.toFixed(2) : "");
  const item = make("li", "", head, make("p", "numbers", numbers), make("p", "", choice.why));
  item.dataset.slot = choice.slot;
  return item;
}

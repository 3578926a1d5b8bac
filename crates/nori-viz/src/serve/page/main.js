// Asking the endpoint, and what the mouse and the keys do.

const POLL_MS = 500;

async function poll() {
  let wait = POLL_MS;
  try {
    if (!view.paused) {
      const known = last();
      const query = known === undefined ? "" : "?after=" + known.n + "&of=" + model.header.began;
      const answer = await fetch("frames" + query);
      if (!answer.ok) {
        throw new Error("the endpoint said " + answer.status);
      }
      if (take(await answer.text()) && model.frames.length > 0) {
        draw();
      }
      wait = model.header.ended ? 5000 : Math.max(POLL_MS, model.header.interval_ms / 2);
    }
  } catch (error) {
    if (error instanceof TypeError && error.message.includes("fetch")) {
      setState("the process is gone", "lost");
    } else {
      setState(String(error.message || error), "lost");
      console.error(error);
    }
    wait = 2000;
  }
  setTimeout(poll, wait);
}

function draw() {
  if (model.frames.length === 0) {
    return;
  }
  drawHead();
  drawTiles();
  drawHeat();
  drawWork();
  drawCharts();
  drawDetails();
  drawJournal();
  document.body.dataset.frames = String(model.frames.length);
}

function select(id) {
  view.slot = id;
  draw();
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "light" : "dark";
  draw();
}

function wireHeat() {
  const map = $("heat-map");
  map.addEventListener("mousemove", (event) => {
    const at = model.frames.length > 0 ? heatAt(event) : null;
    const words = at === null ? null : slotWords(at.slot) + "\n" + rangeWords(at.slot) + "\n"
      + duration((last().t - at.frame.t) / 1000) + " ago";
    tip(event, words);
  });
  map.addEventListener("mouseleave", (event) => tip(event, null));
  map.addEventListener("click", (event) => {
    const at = model.frames.length > 0 ? heatAt(event) : null;
    select(at === null ? null : at.slot.id);
  });
  const now = $("now");
  now.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (cell !== null) {
      select(Number(cell.dataset.slot));
    }
  });
  now.addEventListener("mousemove", (event) => {
    const cell = event.target.closest(".cell");
    const slot = cell === null ? undefined : last().byId.get(Number(cell.dataset.slot));
    tip(event, slot === undefined ? null : slotWords(slot) + "\n" + rangeWords(slot));
  });
  now.addEventListener("mouseleave", (event) => tip(event, null));
  now.addEventListener("keydown", (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const cell = step === undefined ? null : event.target[step];
    if (cell !== null) {
      event.preventDefault();
      cell.focus();
      select(Number(cell.dataset.slot));
    }
  });
}

function barAt(event) {
  const box = $("work").getBoundingClientRect();
  const x = event.clientX - box.left;
  const y = event.clientY - box.top;
  const near = (bar) => x >= bar.left - 2 && x <= bar.right + 2 && y >= bar.top && y <= bar.bottom;
  return (view.bars || []).findLast(near);
}

function workWords({ kind, how, slot, what }) {
  if (kind === "flush") {
    return "flush: " + count(what.entries) + " entries, " + bytes(what.bytes_written) + " in "
      + micros(what.elapsed_us);
  }
  if (kind === "running") {
    return "slot " + slot + ": merging " + what.runs + " runs, " + bytes(what.bytes) + ", about "
      + Math.round(what.done * 100) + " % done";
  }
  return "slot " + slot + ", " + how + ": " + what.runs_before + " runs became " + what.runs_after
    + "\n" + bytes(what.bytes_read) + " read, " + bytes(what.bytes_written) + " written in "
    + micros(what.elapsed_us) + "\n" + count(what.entries_dropped) + " entries dropped";
}

function wireWork() {
  const work = $("work");
  work.addEventListener("mousemove", (event) => {
    const bar = barAt(event);
    tip(event, bar === undefined ? null : workWords(bar.work));
  });
  work.addEventListener("mouseleave", (event) => tip(event, null));
  work.addEventListener("click", (event) => {
    const bar = barAt(event);
    select(bar === undefined || bar.work.slot === undefined ? null : bar.work.slot);
  });
}

function wire() {
  wireHeat();
  wireWork();
  $("by").addEventListener("change", () => {
    view.by = $("by").value;
    draw();
  });
  $("span").addEventListener("change", () => {
    view.span = Number($("span").value);
    draw();
  });
  $("pause").addEventListener("click", () => {
    view.paused = !view.paused;
    $("pause").textContent = view.paused ? "go on" : "pause";
    $("pause").setAttribute("aria-pressed", String(view.paused));
    draw();
  });
  $("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  $("journal-all").addEventListener("click", () => select(null));
  window.addEventListener("resize", draw);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      select(null);
    }
  });
}

layCharts();
wire();
const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
const asked = location.hash.match(/theme=(light|dark)/);
setTheme(asked !== null ? asked[1] : dark ? "dark" : "light");
poll();

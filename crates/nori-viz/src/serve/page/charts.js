// Lines over time.

const CHARTS = {
  ops: {
    title: "Operations per second",
    show: (v) => short(v),
    series: [
      ["writes", "c1", (f) => f.rates && f.rates.writes],
      ["reads of runs", "c2", (f) => f.rates && f.rates.reads],
    ],
  },
  bytes: {
    title: "Bytes per second",
    show: (v) => bytes(v),
    binary: true,
    series: [
      ["written by users", "c1", (f) => f.rates && f.rates.user_bytes],
      ["flushed", "c3", (f) => f.rates && f.rates.flushed],
      ["written by merges", "c2", (f) => f.rates && f.rates.merge_written],
      ["pace", "c6", (f) => f.pressure.pace],
    ],
  },
  amp: {
    title: "Amplification",
    show: (v) => v.toFixed(2),
    series: [
      ["WA, 30 s", "c1", (f) => f.amplification.wa_now || null],
      ["WA, all", "c5", (f) => f.amplification.wa || null],
      ["RA", "c2", (f) => f.amplification.ra || null],
      ["runs looked into", "c4", (f) => f.amplification.probed || null],
      ["SA", "c3", (f) => f.amplification.sa || null],
    ],
  },
  pressure: {
    title: "Pressure",
    show: (v) => v.toFixed(2),
    least: 1,
    bands: [[0.5, "yellow"], [0.75, "orange"], [0.9, "red"]],
    series: [
      ["memtables", "c1", (f) => f.pressure.memtables],
      ["flushes in fragments", "c2", (f) => f.pressure.l0],
      ["merges owed", "c3", (f) => f.pressure.debt],
      ["disk", "c5", (f) => f.pressure.disk],
      ["memory", "c4", (f) => f.pressure.memory],
      ["pressure", "c6", (f) => f.pressure.pressure],
    ],
  },
};

const SERIES_COLOURS = { c1: "s1", c2: "s2", c3: "s3", c4: "s4", c5: "s5", c6: "red" };

function layCharts() {
  for (const [name, chart] of Object.entries(CHARTS)) {
    const bar = make("div", "bar", make("h2", "", chart.title), make("span", "grow"));
    chart.values = chart.series.map(([title, style]) => {
      const value = make("b", "");
      bar.append(make("span", "series " + style, make("i", ""), title, value));
      return value;
    });
    chart.canvas = make("canvas", "");
    chart.canvas.setAttribute("role", "img");
    chart.canvas.setAttribute("aria-label", chart.title + " over time");
    $("chart-" + name).classList.add("chart");
    $("chart-" + name).append(bar, make("div", "plot", chart.canvas));
    chart.canvas.addEventListener("mousemove", (event) => hoverChart(chart, event));
    chart.canvas.addEventListener("mouseleave", () => {
      view.hover = null;
      drawCharts();
    });
  }
}

function hoverChart(chart, event) {
  if (model.frames.length === 0) {
    return;
  }
  const box = chart.canvas.getBoundingClientRect();
  view.hover = timeScale(GUTTER.left, box.width - GUTTER.right).back(event.clientX - box.left);
  drawCharts();
}

function drawCharts() {
  const { from } = span();
  const frames = model.frames.slice(Math.max(0, frameAt(from) - 1));
  Object.values(CHARTS).forEach((chart) => drawChart(chart, frames));
}

/** A round number at or above the largest value; of bytes a round number of KiB, MiB, ... */
function roundTop(max, binary) {
  if (!(max > 0)) {
    return 1;
  }
  if (binary && max > 1024) {
    const size = 1024 ** Math.floor(Math.log2(max) / 10);
    return size * roundTop(max / size, false);
  }
  const unit = 10 ** Math.floor(Math.log10(max));
  return [1, 1.5, 2, 3, 4, 5, 7.5, 10].map((n) => n * unit).find((n) => n >= max);
}

function drawChart(chart, frames) {
  const { pen, width, height } = prepare(chart.canvas);
  const right = width - GUTTER.right;
  const bottom = height - GUTTER.bottom;
  const x = timeScale(GUTTER.left, right);
  const lines = chart.series.map(([, , value]) => frames.map(value));
  const number = (v) => (typeof v === "number" ? v : 0);
  let max = chart.least || 0;
  chart.series.forEach(([title], n) => {
    // A pace may be far above what anybody writes.
    if (title !== "pace") {
      max = lines[n].reduce((most, v) => Math.max(most, number(v)), max);
    }
  });
  const top = Math.max(chart.least || 0, roundTop(max, chart.binary));
  const y = (v) => bottom - (Math.min(v, top) / top) * (bottom - 6);
  drawFrame(pen, chart, y, top, right);
  chart.series.forEach(([, style], n) => {
    pen.strokeStyle = colour(SERIES_COLOURS[style]);
    pen.lineWidth = style === "c6" ? 2 : 1.5;
    pen.beginPath();
    let on = false;
    frames.forEach((frame, at) => {
      const v = lines[n][at];
      if (typeof v !== "number" || v > top) {
        on = false;
        return;
      }
      const place = Math.max(GUTTER.left, x(frame.t));
      if (on) {
        pen.lineTo(place, y(v));
      } else {
        pen.moveTo(place, y(v));
      }
      on = true;
    });
    pen.stroke();
  });
  drawTimes(pen, x, GUTTER.left, right, bottom + 6);
  const shown = view.hover === null ? last() : model.frames[Math.min(frameAt(view.hover), model.frames.length - 1)];
  if (view.hover !== null) {
    pen.strokeStyle = colour("quiet");
    pen.lineWidth = 1;
    pen.strokeRect(Math.round(x(shown.t)) + 0.5, 4, 0, bottom - 4);
  }
  chart.series.forEach(([, , value], n) => {
    const v = value(shown);
    chart.values[n].textContent = typeof v === "number" ? chart.show(v) : "–";
  });
}

function drawFrame(pen, chart, y, top, right) {
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const [from, zone] of chart.bands || []) {
    pen.strokeStyle = colour(zone);
    pen.globalAlpha = 0.65;
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(GUTTER.left, Math.round(y(from)) + 0.5);
    pen.lineTo(right, Math.round(y(from)) + 0.5);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    pen.fillStyle = colour(zone);
    pen.textAlign = "left";
    pen.fillText(zone, right + 8, y(from));
    pen.textAlign = "right";
  }
  for (const part of [0, 0.5, 1]) {
    const place = Math.round(y(top * part)) + 0.5;
    pen.strokeStyle = colour("line");
    pen.beginPath();
    pen.moveTo(GUTTER.left, place);
    pen.lineTo(right, place);
    pen.stroke();
    pen.fillStyle = colour("quiet");
    pen.fillText(chart.show(top * part), GUTTER.left - 8, place);
  }
}

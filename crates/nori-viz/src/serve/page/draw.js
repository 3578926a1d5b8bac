// Drawing: colours, canvases, the axis of time that all panels share.

const $ = (id) => document.getElementById(id);
const view = { span: 0, by: "heat", slot: null, paused: false, hover: null };
const GUTTER = { left: 58, right: 96, bottom: 20 };

const RAMPS = {
  light: ["#eef1f4", "#fde9c4", "#fdbf6f", "#f5873f", "#d9412f", "#8c1027"],
  dark: ["#1b2230", "#43225f", "#8a2468", "#d2453f", "#f99a1c", "#fdf3a3"],
};

function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function channels(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

const rampCache = new Map();

/** 256 colours from cold to hot, as [r, g, b]. */
function ramp() {
  const name = isDark() ? "dark" : "light";
  if (!rampCache.has(name)) {
    const stops = RAMPS[name].map(channels);
    const colours = [];
    for (let at = 0; at < 256; at += 1) {
      const place = (at / 255) * (stops.length - 1);
      const stop = Math.min(Math.floor(place), stops.length - 2);
      const part = place - stop;
      colours.push(stops[stop].map((c, n) => Math.round(c + (stops[stop + 1][n] - c) * part)));
    }
    rampCache.set(name, colours);
  }
  return rampCache.get(name);
}

function rampColour(value) {
  return ramp()[Math.max(0, Math.min(255, Math.round(value * 255)))];
}

/** Black or white, whatever can be read on a colour. */
function inkOn(rgb) {
  const light = (rgb[0] * 299 + rgb[1] * 587 + rgb[2] * 114) / 1000;
  return light > 140 ? "#1c2430" : "#ffffff";
}

/** A canvas as large as it is shown, sharp on every screen. */
function prepare(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "10px system-ui, 'DejaVu Sans', sans-serif";
  pen.lineJoin = "round";
  return { pen, width, height };
}

/** The times that are shown, in milliseconds of the watch. */
function span() {
  const to = last().t;
  const first = model.frames[0].t;
  const from = view.span === 0 ? first : Math.max(first, to - view.span * 1000);
  return { from, to: Math.max(to, from + 1000) };
}

/** Times to places between two places. */
function timeScale(left, right) {
  const { from, to } = span();
  const scale = (t) => left + ((t - from) / (to - from)) * (right - left);
  scale.back = (x) => from + ((x - left) / (right - left)) * (to - from);
  return scale;
}

/** Words under a panel: how long ago. */
function drawTimes(pen, x, left, right, y) {
  const { from, to } = span();
  const seconds = (to - from) / 1000;
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600, 7200, 21600, 86400];
  const step = steps.find((each) => seconds / each <= 8) || seconds / 4;
  pen.fillStyle = colour("quiet");
  pen.textBaseline = "top";
  for (let ago = 0; ago <= seconds; ago += step) {
    const place = x(to - ago * 1000);
    if (place >= left && place <= right) {
      pen.textAlign = ago === 0 ? "right" : "center";
      const words = ago === 0 ? (model.header.ended ? "end" : "now") : "-" + duration(ago);
      pen.fillText(words, place, y);
    }
  }
}

function duration(seconds) {
  if (seconds < 60) {
    return Math.round(seconds) + " s";
  }
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds % 60);
  if (minutes < 60) {
    return minutes + " min" + (rest > 0 ? " " + rest + " s" : "");
  }
  return Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

function tip(event, text) {
  const box = $("tip");
  if (text === null) {
    box.hidden = true;
    return;
  }
  box.textContent = text;
  box.hidden = false;
  const right = event.clientX + 16 + box.offsetWidth > window.innerWidth;
  box.style.left = (right ? event.clientX - 14 - box.offsetWidth : event.clientX + 14) + "px";
  const low = event.clientY + 14 + box.offsetHeight > window.innerHeight;
  box.style.top = (low ? event.clientY - 10 - box.offsetHeight : event.clientY + 14) + "px";
}

/** An element with a class and text or children. */
function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) {
    element.className = className;
  }
  element.append(...children);
  return element;
}

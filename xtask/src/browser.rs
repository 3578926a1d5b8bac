//! The page of `nori viz` in a real browser: a load with a moving hot spot is watched live, then
//! its recording is opened and clicked through.
//!
//! What is checked: the page loads without a complaint of the console and without a request to any
//! other address; the last column of the heat map has a cell for each slot; the map has colours; a
//! click on a slot shows its details and its decisions and nobody else's; keys move the selection.
//! The pictures are in target/browser, for people to look at.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

mod children;
mod devtools;
mod socket;

use children::Child;
use devtools::Browser;

const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const REMEDY: &str = "look at the pictures in target/browser; the page is in \
                      crates/nori-viz/src/serve/page";
const PATIENCE: Duration = Duration::from_secs(120);

/// The step; skipped where there is no browser.
pub(crate) fn step(context: &Context, _: &[String]) -> Result<(), Failure> {
    let Some(program) = PROGRAMS.into_iter().find(|p| shell::is_installed(p, &["--version"]))
    else {
        println!("skipped: chromium is not installed (apt-get install chromium)");
        return Ok(());
    };
    let root = &context.workspace.root;
    let mut command = shell::cargo(root);
    // As `test` builds it, which is used again.
    command.args(["build", "--quiet", "--profile", "test", "--workspace", "--bin", "nori"]);
    shell::run(&mut command, "nori-cli must build")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let target = root.join(target);
    let dir = target.join("browser");
    // Of an earlier run.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir)?;
    let session = Session { nori: target.join("debug/nori"), dir };
    let mut browser = Browser::start(program, &session.dir.join("profile"))?;
    session.live(&mut browser)?;
    session.recording(&mut browser)?;
    let _ = std::fs::remove_dir_all(session.dir.join("profile"));
    println!("pictures in {}", session.dir.display());
    Ok(())
}

struct Session {
    nori: PathBuf,
    dir: PathBuf,
}

/// The address in a line of ours.
fn url_in(line: &str) -> Result<String, Failure> {
    let words = line.split_whitespace();
    let url = words.map(|word| word.trim_end_matches(',')).find(|word| word.starts_with("http://"));
    url.map(str::to_string).ok_or_else(|| fail(format!("there is no address in {line:?}")))
}

fn fail(what: impl Into<String>) -> Failure {
    Failure::new(what, REMEDY)
}

fn expect(holds: bool, what: impl Into<String>) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(fail(what)) }
}

impl Session {
    fn nori(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.nori);
        command.args(args).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command
    }

    /// A load runs, and the page follows it.
    fn live(&self, browser: &mut Browser) -> Result<(), Failure> {
        let mut load = Child::start(&mut self.nori(&[
            "bench",
            "hotspot",
            "--keys",
            "600000",
            "--moves",
            "3",
            "--buffer-kb",
            "256",
            "--read-rate",
            "3000",
            "--dir",
            "store",
            "--viz",
            "127.0.0.1:0",
            "--record",
            "load.jsonl",
        ]))?;
        let url = url_in(&load.wait_for("see http://", PATIENCE)?)?;
        browser.resize(1440, 1180)?;
        browser.open(&format!("{url}#theme=dark"))?;
        browser.until("frames come in", "model.frames.length > 5")?;
        browser.until("slots are cut", "model.frames.at(-1).slots.length > 3")?;
        browser.until(
            "the page follows",
            "document.body.dataset.frames === String(model.frames.length)",
        )?;
        let state = browser.value("document.getElementById('state').textContent")?;
        expect(state == "live", format!("the page of a process that runs says {state}"))?;
        browser.picture(&self.dir.join("live-dark.png"))?;
        load.end()?;
        browser.until("the page says that the process is gone", GONE)?;
        // A process that ends is no mistake of the page, but the browser says so in the log.
        browser.complaints.retain(|said| !said.contains("ERR_CONNECTION"));
        check_quiet(browser, &url)
    }

    /// The recording of the load is opened and clicked through.
    fn recording(&self, browser: &mut Browser) -> Result<(), Failure> {
        let viz = ["viz", "load.jsonl", "--listen", "127.0.0.1:0"];
        let mut viz = Child::start(&mut self.nori(&viz))?;
        let url = url_in(&viz.wait_for("open http://", PATIENCE)?)?;
        browser.requests.clear();
        browser.open(&format!("{url}#theme=light"))?;
        browser.until("the recording is shown", "document.body.dataset.frames > 5")?;
        check_map(browser, self.slots()?)?;
        browser.picture(&self.dir.join("recording-light.png"))?;
        check_clicks(browser)?;
        browser.move_away()?;
        browser.picture(&self.dir.join("slot-light.png"))?;
        browser.click("#theme")?;
        let dark = browser.value("document.documentElement.dataset.theme")?;
        expect(dark == "dark", "the button changes the theme")?;
        browser.move_away()?;
        browser.picture(&self.dir.join("slot-dark.png"))?;
        browser.resize(1440, 1640)?;
        browser.picture(&self.dir.join("whole-dark.png"))?;
        browser.resize(420, 900)?;
        browser.until("it fits a narrow window", "document.body.scrollWidth <= 420")?;
        browser.picture(&self.dir.join("narrow-dark.png"))?;
        browser.resize(1440, 1180)?;
        check_quiet(browser, &url)
    }

    /// How many slots the recording ends with, as `nori top` tells it.
    fn slots(&self) -> Result<usize, Failure> {
        let output = self.nori(&["top", "load.jsonl", "--once", "--json"]).output()?;
        let told: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| fail(format!("nori top --once --json: {e}")))?;
        let slots = told["frame"]["slots"].as_array().map_or(0, Vec::len);
        expect(slots > 3, format!("the load made {slots} slots"))?;
        Ok(slots)
    }
}

const GONE: &str = "['the process is gone', 'ended'].includes(\
                    document.getElementById('state').textContent)";

/// Nothing complained, and nobody else was asked.
fn check_quiet(browser: &mut Browser, url: &str) -> Result<(), Failure> {
    let complaints = browser.complaints.join("\n");
    expect(complaints.is_empty(), format!("the browser complains:\n{complaints}"))?;
    let ours = |asked: &&String| {
        asked.starts_with(url) || asked.starts_with("data:") || *asked == "about:blank"
    };
    let others: Vec<&String> = browser.requests.iter().filter(|asked| !ours(asked)).collect();
    expect(others.is_empty(), format!("the page asked for {others:?}"))?;
    expect(browser.requests.iter().any(|asked| asked.contains("/frames")), "frames were asked for")
}

fn check_map(browser: &mut Browser, slots: usize) -> Result<(), Failure> {
    let cells = browser.value("document.querySelectorAll('#now .cell').length")?;
    expect(cells == slots, format!("the last column has {cells} cells for {slots} slots"))?;
    let high = "[...document.querySelectorAll('#now .cell')].every((c) => c.offsetHeight > 0)";
    expect(browser.value(high)? == true, "each cell of the last column can be seen")?;
    let colours = browser.value(
        "(() => { const c = document.getElementById('heat-map'); \
         const d = c.getContext('2d').getImageData(0, 0, c.width, c.height - 24).data; \
         const seen = new Set(); \
         for (let i = 0; i < d.length; i += 4) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); \
         return seen.size; })()",
    )?;
    expect(colours.as_u64() > Some(8), format!("the heat map has {colours} colours"))?;
    for canvas in ["work", "chart-ops canvas", "chart-bytes canvas", "chart-amp canvas"] {
        let drawn = browser.value(&format!(
            "(() => {{ const c = document.querySelector('#{canvas}'); \
             return c.getContext('2d').getImageData(0, 0, c.width, c.height).data \
             .some((v) => v > 0); }})()"
        ))?;
        expect(drawn == true, format!("#{canvas} is drawn"))?;
    }
    Ok(())
}

/// A slot is clicked with the mouse in the last column, then in the map; keys move on from there.
fn check_clicks(browser: &mut Browser) -> Result<(), Failure> {
    // The slot that is there now and was merged most.
    let slot = browser.value(
        "(() => { const n = new Map(); for (const c of model.choices) \
         if (last().byId.has(c.slot)) n.set(c.slot, (n.get(c.slot) || 0) + 1); \
         return [...n].sort((a, b) => b[1] - a[1])[0]; })()",
    )?;
    let (Some(id), Some(merges)) = (slot[0].as_u64(), slot[1].as_u64()) else {
        return Err(fail("no slot that is there was ever merged"));
    };
    browser.click(&format!("#now .cell[data-slot=\"{id}\"]"))?;
    browser.until("the details of the slot", &format!("$('details').dataset.slot === '{id}'"))?;
    let shown = browser
        .value("[...document.querySelectorAll('#journal li')].map((li) => li.dataset.slot)")?;
    let shown: Vec<&str> =
        shown.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let id_text = id.to_string();
    expect(
        shown.len() as u64 == merges.min(120) && shown.iter().all(|of| *of == id_text),
        format!("slot {id} was merged {merges} times, and the journal shows {shown:?}"),
    )?;
    let words = browser.value("$('journal').textContent")?;
    let words = words.as_str().unwrap_or_default();
    expect(words.contains("runs were merged; at heat"), "the journal says why")?;
    // The same place in the map, a little left of now.
    let place = browser.value(&format!(
        "(() => {{ const c = document.querySelector('#now .cell[data-slot=\"{id}\"]') \
         .getBoundingClientRect(); const m = $('heat-map').getBoundingClientRect(); \
         return [m.right - 2, c.top + c.height / 2]; }})()"
    ))?;
    browser.press("Escape", 27)?;
    browser.until("escape shows all slots", "$('details').dataset.slot === ''")?;
    let at = |n: usize| place[n].as_f64().unwrap_or_default();
    browser.click_at(at(0), at(1))?;
    browser.until("a click into the map", &format!("$('details').dataset.slot === '{id}'"))?;
    browser.click("#now .cell")?;
    browser.until(
        "the first slot",
        "$('details').dataset.slot === $('now').children[0].dataset.slot",
    )?;
    browser.press("ArrowDown", 40)?;
    browser.until(
        "the second slot",
        "$('details').dataset.slot === $('now').children[1].dataset.slot",
    )?;
    browser.click(&format!("#now .cell[data-slot=\"{id}\"]"))?;
    browser.until("the slot again", &format!("$('details').dataset.slot === '{id}'"))
}

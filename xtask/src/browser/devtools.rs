//! A headless browser, driven over its debugging port: pages, clicks, keys, pictures, and what
//! went wrong on the way.

use crate::browser::children::Child;
use crate::browser::socket::Socket;
use crate::failure::Failure;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
pub(super) struct Browser {
    socket: Socket,
    session: String,
    next: u64,
    /// Errors of the console, of scripts, of the policy.
    pub(super) complaints: Vec<String>,
    /// Every address that was asked for.
    pub(super) requests: Vec<String>,
    /// Ends with this; last, so that the connection goes first.
    _child: Child,
}

fn failed(what: impl Into<String>) -> Failure {
    Failure::new(what, "look at the pictures in target/browser and at the page's sources")
}

impl Browser {
    /// Starts the program with a profile of its own and a window of this size.
    pub(super) fn start(program: &str, profile: &Path) -> Result<Browser, Failure> {
        let mut command = Command::new(program);
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update"]);
        command.args(["--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"]);
        // Whatever it would like to ask elsewhere, nobody answers.
        command.arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1");
        command.arg("--remote-debugging-port=0");
        command.arg(format!("--user-data-dir={}", profile.display()));
        command.arg("about:blank").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = Child::start(command.stderr(Stdio::piped()))?;
        let line = child.wait_for_error("DevTools listening on ", PATIENCE)?;
        let url = line.split_whitespace().last().unwrap_or_default().to_string();
        let socket = Socket::connect(&url, PATIENCE)?;
        let mut browser = Browser {
            socket,
            session: String::new(),
            next: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
            _child: child,
        };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }))?;
        let target = target["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = browser.ask("Target.attachToTarget", attach)?;
        browser.session = session["sessionId"].as_str().unwrap_or_default().to_string();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.ask(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(browser)
    }

    /// Sends a command, and hears what else is said until its answer comes.
    fn ask(&mut self, method: &str, params: Value) -> Result<Value, Failure> {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.socket.send(&message.to_string())?;
        loop {
            let text = self.socket.receive()?;
            let said: Value = serde_json::from_str(&text)
                .map_err(|e| failed(format!("the browser said {text:.200}: {e}")))?;
            if said["id"] != json!(id) {
                self.hear(&said);
            } else if said["error"].is_null() {
                return Ok(said["result"].clone());
            } else {
                return Err(failed(format!("{method}: {}", said["error"])));
            }
        }
    }

    fn hear(&mut self, said: &Value) {
        let params = &said["params"];
        match said["method"].as_str().unwrap_or_default() {
            "Runtime.consoleAPICalled" => {
                if matches!(params["type"].as_str(), Some("error" | "warning" | "assert")) {
                    self.complaints.push(format!("console: {}", params["args"]));
                }
            }
            "Runtime.exceptionThrown" => {
                self.complaints.push(format!("exception: {}", params["exceptionDetails"]));
            }
            "Log.entryAdded" => {
                if matches!(params["entry"]["level"].as_str(), Some("error" | "warning")) {
                    self.complaints.push(format!("log: {}", params["entry"]));
                }
            }
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(url.to_string());
            }
            _ => {}
        }
    }

    /// A window of this size.
    pub(super) fn resize(&mut self, width: u32, height: u32) -> Result<(), Failure> {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size).map(|_| ())
    }

    /// Opens an address.
    pub(super) fn open(&mut self, url: &str) -> Result<(), Failure> {
        // An address that differs behind the # only would not be loaded again.
        self.ask("Page.navigate", json!({ "url": "about:blank" }))?;
        let done = self.ask("Page.navigate", json!({ "url": url }))?;
        match done["errorText"].as_str() {
            Some(error) => Err(failed(format!("{url}: {error}"))),
            None => Ok(()),
        }
    }

    /// What an expression is in the page.
    pub(super) fn value(&mut self, expression: &str) -> Result<Value, Failure> {
        let ask = json!({ "expression": expression, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", ask)?;
        if !answer["exceptionDetails"].is_null() {
            return Err(failed(format!("{expression}: {}", answer["exceptionDetails"])));
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true.
    pub(super) fn until(&mut self, what: &str, expression: &str) -> Result<(), Failure> {
        let began = Instant::now();
        // While a page is loaded its expressions fail.
        while self.value(expression).unwrap_or_default() != json!(true) {
            if began.elapsed() > PATIENCE {
                let complaints = self.complaints.join("\n");
                return Err(failed(format!("waited in vain: {what}\n{complaints}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Clicks with the mouse into the middle of what a selector finds.
    pub(super) fn click(&mut self, selector: &str) -> Result<(), Failure> {
        let middle = self.value(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); if (!e) return null; \
             const b = e.getBoundingClientRect(); \
             return [b.left + b.width / 2, b.top + b.height / 2]; }})()"
        ))?;
        let at = |n: usize| middle[n].as_f64();
        let (Some(x), Some(y)) = (at(0), at(1)) else {
            return Err(failed(format!("there is nothing to click: {selector}")));
        };
        self.click_at(x, y)
    }

    /// Clicks at a place of the window.
    pub(super) fn click_at(&mut self, x: f64, y: f64) -> Result<(), Failure> {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let (button, clicks) = if kind == "mouseMoved" { ("none", 0) } else { ("left", 1) };
            let mouse =
                json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": clicks });
            self.ask("Input.dispatchMouseEvent", mouse)?;
        }
        Ok(())
    }

    /// Moves the mouse to where nothing is shown for it.
    pub(super) fn move_away(&mut self) -> Result<(), Failure> {
        let mouse = json!({ "type": "mouseMoved", "x": 2, "y": 2 });
        self.ask("Input.dispatchMouseEvent", mouse).map(|_| ())
    }

    /// Presses a key.
    pub(super) fn press(&mut self, key: &str, code: u32) -> Result<(), Failure> {
        for kind in ["keyDown", "keyUp"] {
            let press =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.ask("Input.dispatchKeyEvent", press)?;
        }
        Ok(())
    }

    /// A picture of the window.
    pub(super) fn picture(&mut self, path: &Path) -> Result<(), Failure> {
        let answer = self.ask("Page.captureScreenshot", json!({ "format": "png" }))?;
        let text = answer["data"].as_str().unwrap_or_default();
        let bytes = base64(text).ok_or_else(|| failed("the picture is no base64"))?;
        Ok(std::fs::write(path, bytes)?)
    }
}

/// Bytes from base64.
fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        bits = (bits << 6) | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        let cases = [("", ""), ("bm9yaQ==", "nori"), ("bm9yaSE=", "nori!"), ("bm9yaSE/", "nori!?")];
        for (text, bytes) in cases {
            assert_eq!(base64(text), Some(bytes.as_bytes().to_vec()));
        }
        assert_eq!(base64("b m"), None);
    }
}

//! `nori viz`: the page of a store, of a recording or of a process.

use crate::args::VizArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::watched::Source;
use nori_viz::Server;
use serde_json::json;

/// `nori viz`
pub(crate) fn viz(args: &VizArgs, out: &mut Out) -> Result<(), Failure> {
    let source = Source::open(&args.source)?;
    if let Source::Process(_) = &source {
        // It serves the page itself.
        let address = crate::watched::address_of(&args.source.source);
        let url = address.map_or_else(String::new, |address| format!("http://{address}/"));
        return tell(out, &url, "the process serves its page itself");
    }
    let server = Server::start(source.feed(), args.listen).map_err(Failure::usage)?;
    tell(out, &server.url(), "until this command is ended")?;
    loop {
        std::thread::park();
    }
}

fn tell(out: &mut Out, url: &str, how: &str) -> Result<(), Failure> {
    if out.json() {
        out.document(&json!({ "url": url }))?;
    } else {
        out.line(format!("open {url} in a browser ({how})"))?;
    }
    out.flush()
}

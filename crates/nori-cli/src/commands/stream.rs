//! `nori export` and `nori import`: the entries of a store as a stream.

use crate::args::{ExportArgs, ImportArgs, StreamForm};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::{stores, units};
use nori_backup::{StreamFormat, StreamTally, export as write_stream, import as read_stream};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

const BUFFER_BYTES: usize = 256 << 10;

/// `nori export`. Where the stream goes to stdout, a person is told on stderr, and nobody else.
pub(crate) fn export(args: &ExportArgs, out: &mut Out) -> Result<(), Failure> {
    let (started, is_stdout) = (Instant::now(), args.output == Path::new("-"));
    if is_stdout && out.json() {
        return Err(Failure::usage("--json would mix with the stream; name a file with -o"));
    }
    let store = stores::open_read_only(&args.store)?;
    let names: Vec<&str> = args.keyspace.iter().map(String::as_str).collect();
    let only = (!names.contains(&"all")).then_some(&names[..]);
    let format = match args.format {
        StreamForm::Frames => StreamFormat::Frames,
        StreamForm::Lines => StreamFormat::Lines,
    };
    let progress = Progress::spinner(out, "exporting");
    let watch = &mut |at: &StreamTally| shown(&progress, at);
    let tally = if is_stdout {
        write_stream(&store, only, format, out.writer(), Path::new("stdout"), watch)?
    } else {
        let path = &args.output;
        let mut file = File::create(path).map_err(|e| Failure::io("creating", path, &e))?;
        let tally = write_stream(&store, only, format, &mut file, path, watch)?;
        file.sync_all().map_err(|e| Failure::io("syncing", path, &e))?;
        tally
    };
    drop(progress);
    let seconds = started.elapsed().as_secs_f64();
    if !is_stdout {
        return tell("exported", &tally, seconds, out);
    }
    // A person who watches is told; a script has the end frame.
    if !io::stderr().is_terminal() {
        return Ok(());
    }
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "exported {}", in_words(&tally, seconds));
    Ok(())
}

/// `nori import`
pub(crate) fn import(args: &ImportArgs, out: &mut Out) -> Result<(), Failure> {
    let started = Instant::now();
    let is_stdin = args.input == Path::new("-");
    let path = if is_stdin { Path::new("stdin") } else { &args.input };
    let mut input: Box<dyn BufRead> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path).map_err(|e| Failure::io("opening", path, &e))?;
        Box::new(BufReader::with_capacity(BUFFER_BYTES, file))
    };
    let store = stores::open_or_make(&args.store, |config| config)?;
    let progress = Progress::spinner(out, "importing");
    let mut done = StreamTally::default();
    let result = read_stream(&store, &mut *input, path, &mut |at| {
        done = *at;
        shown(&progress, at)
    });
    drop(progress);
    let closed = store.close();
    let tally = result.map_err(|error| {
        Failure::failed(format!(
            "{error} Until there, {} of {} were stored; importing the whole stream again is right.",
            units::plural(done.entries, "entry", "entries"),
            units::plural(done.keyspaces, "keyspace", "keyspaces")
        ))
    })?;
    closed?;
    tell("imported", &tally, started.elapsed().as_secs_f64(), out)
}

fn shown(progress: &Progress, at: &StreamTally) -> ControlFlow<()> {
    progress.note(format!(
        "{}, {}",
        units::plural(at.entries, "entry", "entries"),
        units::bytes(at.bytes)
    ));
    ControlFlow::Continue(())
}

fn tell(what: &str, tally: &StreamTally, seconds: f64, out: &mut Out) -> Result<(), Failure> {
    if out.json() {
        return out.document(&json!({ what: tally, "seconds": seconds }));
    }
    out.line(format!("{what} {}", in_words(tally, seconds)))
}

fn in_words(tally: &StreamTally, seconds: f64) -> String {
    format!(
        "{} of {}, {} ({})",
        units::plural(tally.entries, "entry", "entries"),
        units::plural(tally.keyspaces, "keyspace", "keyspaces"),
        units::bytes(tally.bytes),
        units::bytes_rate(tally.bytes, seconds)
    )
}

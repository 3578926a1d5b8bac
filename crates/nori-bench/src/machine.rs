//! What the machine says of this process and of files. Where it does not say, `None`.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

/// Clock ticks per second in /proc: fixed at 100 for user space on today's architectures.
const TICKS_PER_SECOND: f64 = 100.0;

/// The most memory that the process had at once, in bytes, since it began or since
/// [`reset_memory_peak`].
pub fn memory_peak() -> Option<u64> {
    memory("VmHWM:")
}

/// The memory that the process has now, in bytes.
pub fn memory_now() -> Option<u64> {
    memory("VmRSS:")
}

fn memory(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Forgets the peak, where the kernel lets us.
pub fn reset_memory_peak() {
    // Not possible everywhere; the peak then is that of the whole run.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Processor seconds that all threads used so far, in steps of 10 ms.
pub fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name that may hold anything, blanks and brackets included.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?) as f64 / TICKS_PER_SECOND)
}

/// Bytes that the process handed over for writing to disks: pages made dirty, also by mapped
/// files, once while they wait to be written.
pub fn written_bytes() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

/// How long the thread that made this has been ready to run while others had the processors.
#[derive(Debug)]
pub struct CpuWait(Option<fs::File>);

impl CpuWait {
    /// Of the thread that calls.
    pub fn of_this_thread() -> CpuWait {
        CpuWait(fs::File::open("/proc/thread-self/schedstat").ok())
    }

    /// So far; zero where the machine does not say.
    pub fn so_far(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds().unwrap_or(0))
    }

    fn nanoseconds(&self) -> Option<u64> {
        let mut text = [0; 64];
        let mut file = self.0.as_ref()?;
        file.seek(SeekFrom::Start(0)).ok()?;
        let len = file.read(&mut text).ok()?;
        std::str::from_utf8(text.get(..len)?).ok()?.split_whitespace().nth(1)?.parse().ok()
    }
}

/// The machine in a few words: its processors and its system.
pub fn about() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} cores, {}, {} {}",
        model.map_or("unknown processor", |(_, name)| name.trim()),
        std::env::consts::OS,
        kernel.trim()
    )
}

/// Bytes of all files below a directory. What cannot be looked at counts nothing: files may go
/// while a running store is looked at.
pub fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_bytes(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_tells_memory_and_cpu() {
        let started = std::time::Instant::now();
        let before = cpu_seconds().expect("/proc is there");
        let mut x = 1u64;
        while cpu_seconds().expect("/proc is there") < before + 0.02 {
            assert!(started.elapsed().as_secs() < 10, "no processor time passes");
            for _ in 0..100_000 {
                x = std::hint::black_box(x.wrapping_mul(3));
            }
        }
        assert!(memory_now().expect("/proc is there") > 100_000);
        assert!(memory_peak() >= memory_now());
    }
}

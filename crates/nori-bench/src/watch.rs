//! Who watches while a workload runs.

/// Is told when something begins.
pub trait Observer: Sync {
    /// Something begins: its name, and how many operations it has if that is known. What is
    /// returned is told how it goes on, and dropped at the end.
    fn begin(&self, what: &str, ops: Option<u64>) -> Box<dyn Live>;
}

/// Is told how something goes on, by several threads.
pub trait Live: Send + Sync {
    /// So many more operations are done.
    fn did(&self, ops: u64);
    /// What is done now.
    fn note(&self, what: &str);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn begin(&self, _: &str, _: Option<u64>) -> Box<dyn Live> {
        Box::new(Quiet)
    }
}

impl Live for Quiet {
    fn did(&self, _: u64) {}
    fn note(&self, _: &str) {}
}

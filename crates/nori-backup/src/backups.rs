//! The front door: a place with backups of a store, and what can be done with it.

use crate::error::{Error, Result};
use crate::generation::{Generation, GenerationInfo};
#[cfg(feature = "object-store")]
use crate::media::bucket::BucketTarget;
use crate::media::dir::DirTarget;
use crate::media::{GENERATIONS, MARK, Target, list_name, parse_generation, read_all};
use crate::sum::digest;
use nori_env::sync::Arc;
use nori_env::{Clock, FileLock, FileSystem, OsFs, SystemClock};
#[cfg(feature = "object-store")]
use object_store::ObjectStore;
use std::path::Path;

/// A place with backups: generations of one store, each of them whole, that share the tables they
/// have in common. `Send + Sync`.
///
/// One place is for one store; another store's tables would do no harm, but whose generation is
/// whose nobody could tell. A backup, a removal or a check holds the place's lock, and another one
/// meanwhile is [`Error::Locked`]; [`Backups::restore`] and [`Backups::generations`] take none.
///
/// ```
/// # fn main() -> nori_backup::Result<()> {
/// # let dir = nori_lsm::example_dir("backups");
/// # let (store_dir, target, new) = (dir.join("store"), dir.join("target"), dir.join("new"));
/// use nori_backup::{BackupOptions, Backups};
///
/// let store = nori_lsm::Lsm::open(&store_dir)?;
/// store.put("user:1", "Ada")?;
///
/// let backups = Backups::create(&target)?;
/// let report = backups.backup(&store, &BackupOptions::default())?; // Writers go on meanwhile.
///
/// backups.restore(report.generation.generation, &new)?;
/// let restored = nori_lsm::Lsm::open(&new)?;
/// assert_eq!(restored.get("user:1")?.as_deref(), Some(&b"Ada"[..]));
/// # restored.close()?;
/// # store.close()?;
/// # std::fs::remove_dir_all(&dir).expect("the example's own directory");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Backups {
    /// Where stores are, and where they are restored to.
    pub(crate) fs: Arc<dyn FileSystem>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) target: Arc<dyn Target>,
    /// Drawn when the place was made.
    pub(crate) id: u64,
}

impl Backups {
    /// The backups in a directory; makes it where it is missing or empty.
    ///
    /// # Errors
    /// `InvalidArgument` if the directory holds something else; `Locked`, `Corruption`,
    /// `FormatTooNew`, `DiskFull`, `Io`.
    pub fn create(dir: impl AsRef<Path>) -> Result<Backups> {
        Backups::create_with(dir, Arc::new(OsFs), Arc::new(SystemClock::default()))
    }

    /// As [`Backups::create`], on a file system, on which the store must be as well.
    ///
    /// # Errors
    /// As [`Backups::create`].
    pub fn create_with(
        dir: impl AsRef<Path>,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn Clock>,
    ) -> Result<Backups> {
        let root = fs.absolute(dir.as_ref())?;
        fs.create_dir_all(&root)?;
        Backups::create_in(Arc::new(DirTarget { fs: Arc::clone(&fs), root }), fs, clock)
    }

    /// The backups in a directory that has some.
    ///
    /// # Errors
    /// `InvalidArgument` if there are none; `Corruption`, `FormatTooNew`, `Io`.
    pub fn open(dir: impl AsRef<Path>) -> Result<Backups> {
        Backups::open_with(dir, Arc::new(OsFs), Arc::new(SystemClock::default()))
    }

    /// As [`Backups::open`], on a file system.
    ///
    /// # Errors
    /// As [`Backups::open`].
    pub fn open_with(
        dir: impl AsRef<Path>,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn Clock>,
    ) -> Result<Backups> {
        let root = fs.absolute(dir.as_ref())?;
        Backups::open_in(Arc::new(DirTarget { fs: Arc::clone(&fs), root }), fs, clock)
    }

    /// The backups in an object store, below a prefix of names, for example "backups/orders"; makes
    /// the place where there is nothing yet. With the feature `object-store`.
    ///
    /// The store writes an object only where none is when it is asked to (S3, Google Cloud, Azure
    /// and most services do), and tells what it holds right after it was written. A process that
    /// dies leaves its lock there: see [`Backups::unlock`]. For a directory [`Backups::create`] is
    /// the better choice.
    ///
    /// # Errors
    /// As [`Backups::create`]; `InvalidArgument` for a prefix that names no objects.
    #[cfg(feature = "object-store")]
    pub fn create_in_bucket(bucket: Arc<dyn ObjectStore>, prefix: &str) -> Result<Backups> {
        let (fs, clock) = (Arc::new(OsFs), Arc::new(SystemClock::default()));
        Backups::create_in_bucket_with(bucket, prefix, fs, clock)
    }

    /// As [`Backups::create_in_bucket`], of stores on a file system.
    ///
    /// # Errors
    /// As [`Backups::create_in_bucket`].
    #[cfg(feature = "object-store")]
    pub fn create_in_bucket_with(
        bucket: Arc<dyn ObjectStore>,
        prefix: &str,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn Clock>,
    ) -> Result<Backups> {
        Backups::create_in(Arc::new(BucketTarget::new(bucket, prefix)?), fs, clock)
    }

    /// The backups in an object store that has some. With the feature `object-store`.
    ///
    /// # Errors
    /// As [`Backups::open`]; `InvalidArgument` for a prefix that names no objects.
    #[cfg(feature = "object-store")]
    pub fn open_in_bucket(bucket: Arc<dyn ObjectStore>, prefix: &str) -> Result<Backups> {
        let (fs, clock) = (Arc::new(OsFs), Arc::new(SystemClock::default()));
        Backups::open_in(Arc::new(BucketTarget::new(bucket, prefix)?), fs, clock)
    }

    pub(crate) fn create_in(
        target: Arc<dyn Target>,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn Clock>,
    ) -> Result<Backups> {
        if read_mark(&*target)?.is_none() {
            target.refuse_foreign()?;
            target.begin(mark(fs.random()).as_bytes())?;
        }
        Backups::open_in(target, fs, clock)
    }

    pub(crate) fn open_in(
        target: Arc<dyn Target>,
        fs: Arc<dyn FileSystem>,
        clock: Arc<dyn Clock>,
    ) -> Result<Backups> {
        match read_mark(&*target)? {
            Some(id) => Ok(Backups { fs, clock, target, id }),
            None => {
                Err(Error::invalid(format!("{}: there are no backups", target.place("").display())))
            }
        }
    }

    /// Takes away the lock that a process which died left in an object store. Only for when nobody
    /// is at work there: two at once could leave a generation without its files. The lock of a
    /// directory goes with its process, and is not touched.
    ///
    /// # Errors
    /// `Io`.
    pub fn unlock(&self) -> Result<()> {
        self.target.unlock()
    }

    /// All generations, oldest first.
    ///
    /// # Errors
    /// `Corruption` and `FormatTooNew` for a list that cannot be read, which names the file; the
    /// others are there all the same: see [`Backups::numbers`]. `Io`.
    pub fn generations(&self) -> Result<Vec<GenerationInfo>> {
        let numbers = self.numbers()?;
        numbers.into_iter().map(|number| Ok(self.generation(number)?.info())).collect()
    }

    /// The numbers of all generations, oldest first, whether their lists can be read or not.
    ///
    /// # Errors
    /// `Io`.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let names = self.target.list(GENERATIONS)?;
        let mut numbers: Vec<u64> =
            names.iter().filter_map(|name| parse_generation(name, ".gen")).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Reads the list of a generation.
    pub(crate) fn generation(&self, number: u64) -> Result<Generation> {
        let (name, place) = (list_name(number), self.target.place(&list_name(number)));
        match read_all(&*self.target, &name)? {
            Some(bytes) => Generation::decode(&bytes, number, &place),
            None => Err(Error::invalid(format!(
                "{}: there is no generation {number}; there are: {}",
                self.target.place("").display(),
                in_words(&self.numbers()?)
            ))),
        }
    }

    /// Takes the place for oneself.
    pub(crate) fn lock(&self) -> Result<Box<dyn FileLock>> {
        self.target.lock(self.fs.random())
    }
}

fn in_words(numbers: &[u64]) -> String {
    let words: Vec<String> = numbers.iter().map(u64::to_string).collect();
    if words.is_empty() { "none".to_string() } else { words.join(", ") }
}

/// What BACKUP says: one line, the digest of what stands before it.
fn mark(id: u64) -> String {
    let body = format!("nori-backups 1 {id:016x}");
    format!("{body} {:032x}\n", digest(body.as_bytes()))
}

/// The id of a place; `None` if it is no place for backups.
fn read_mark(target: &dyn Target) -> Result<Option<u64>> {
    let Some(bytes) = read_all(target, MARK)? else { return Ok(None) };
    let path = target.place(MARK);
    let wrong = |found: &str| {
        let expected = "\"nori-backups\", a version, an id and their digest";
        Error::corrupt(&path, 0, "the mark of a place for backups", expected, found)
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("no text"))?;
    let line = text.strip_suffix('\n').ok_or_else(|| wrong("no whole line"))?;
    let (body, sum) = line.rsplit_once(' ').ok_or_else(|| wrong("other words"))?;
    if format!("{:032x}", digest(body.as_bytes())) != sum {
        return Err(wrong("another digest"));
    }
    let words: Vec<&str> = body.split(' ').collect();
    let ["nori-backups", version, rest @ ..] = &words[..] else { return Err(wrong("other words")) };
    match (version.parse(), rest) {
        (Ok(1_u64), [id]) => {
            let id = u64::from_str_radix(id, 16).map_err(|_| wrong("no id"))?;
            if mark(id) == text { Ok(Some(id)) } else { Err(wrong("another form")) }
        }
        (Ok(found @ 2..), _) => {
            let what = "the format of a place for backups".to_string();
            Err(Error::FormatTooNew { path, what, found, supported: 1 })
        }
        _ => Err(wrong("other words")),
    }
}

//! The log on disk: every change as a line, written and synced by a thread of its own, many at a time when many come.
//!
//! A line is a checksum (CRC-32, 8 hex digits), a blank, and a JSON list: revision, `+` or `-`, collection, namespace, name,
//! and the object. A line that was cut off by a crash at the end of the file is dropped: its writer was never
//! answered. A broken line before others is damage, and the store says so.
//!
//! When most of the log is of objects that have changed since, it is written anew: every object as a line into a
//! second file, which takes the first one's name once it is on disk.

use super::{Body, Key, Store};
use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread::JoinHandle,
};
use tokio::sync::watch;

const FILE: &str = "objects.log";
const NEXT: &str = "objects.next";
const LOCK: &str = "lock";
/// A log of less is not worth its rewriting.
const SMALL: u64 = 64 << 20;

/// Why the store of a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::sandbox) enum LogError {
    /// The folder or a file in it.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another sandbox runs on it.
    #[error("another sandbox is running on {}; give this one another folder with --dir, or stop that one", .0.display())]
    InUse(PathBuf),
    /// A line in the middle is broken.
    #[error("{}: line {line} is damaged; start anew with --fresh, which throws the sandbox's objects away", path.display())]
    Damaged {
        /// The log.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::File { path, source }
}

/// One line, read.
pub(super) enum Line {
    /// A change.
    Change { key: Key, body: Body, revision: u64, gone: bool },
    /// All before it is the state at this revision, without the changes that led there.
    Mark(u64),
}

/// What waits to be written.
#[derive(Default)]
struct Pending {
    text: Vec<u8>,
    revision: u64,
    closing: bool,
}

/// The writer's side of the log.
pub(super) struct Log {
    folder: PathBuf,
    pending: Arc<(Mutex<Pending>, Condvar)>,
    durable: watch::Receiver<u64>,
    writer: Mutex<Option<Writer>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    trouble: Arc<Mutex<String>>,
    /// Held as long as the store is open.
    _lock: File,
}

/// What the thread writes with.
struct Writer {
    file: File,
    length: u64,
    /// What it was when it was last written anew.
    dense: u64,
    durable: watch::Sender<u64>,
}

impl Log {
    /// Opens or makes the log, and hands out what is in it.
    pub fn open(folder: &Path, fresh: bool, mut found: impl FnMut(Line)) -> Result<Self, LogError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let lock = folder.join(LOCK);
        let lock_file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(at(&lock))?;
        if lock_file.try_lock().is_err() {
            return Err(LogError::InUse(folder.to_owned()));
        }
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(fresh);
        let mut file = private(&mut options).open(&path).map_err(at(&path))?;
        let (length, revision) = read(&path, &file, &mut found)?;
        // What a crash cut off is written over.
        file.set_len(length).map_err(at(&path))?;
        file.seek(SeekFrom::End(0)).map_err(at(&path))?;
        file.sync_all().map_err(at(&path))?;
        sync_folder(folder).map_err(at(folder))?;
        let (durable, receiver) = watch::channel(revision);
        Ok(Self {
            folder: folder.to_owned(),
            pending: Arc::default(),
            durable: receiver,
            writer: Mutex::new(Some(Writer { file, length, dense: length / 2, durable })),
            thread: Mutex::new(None),
            trouble: Arc::default(),
            _lock: lock_file,
        })
    }

    /// Starts the thread.
    pub fn start(&self, store: &Arc<Store>) {
        let Some(writer) = lock(&self.writer).take() else { return };
        let (pending, folder, store) = (self.pending.clone(), self.folder.clone(), Arc::downgrade(store));
        let trouble = self.trouble.clone();
        let run = move || {
            if let Err(error) = writer.run(&pending, &folder, &store) {
                tracing::error!("the sandbox's log cannot be written: {error}");
                *lock(&trouble) = error.to_string();
            }
        };
        *lock(&self.thread) = Some(std::thread::spawn(run));
    }

    /// Puts a change in line; the caller holds the store's lock, so that changes come in order.
    pub fn append(&self, key: &Key, body: &[u8], revision: u64, gone: bool) {
        let (pending, woken) = &*self.pending;
        let mut pending = lock(pending);
        write_line(&mut pending.text, key, body, revision, gone);
        pending.revision = revision;
        woken.notify_one();
    }

    pub fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// Why nothing is written any more.
    pub fn trouble(&self) -> String {
        format!("the sandbox's log cannot be written: {}", lock(&self.trouble))
    }

    pub fn close(&self) {
        let (pending, woken) = &*self.pending;
        lock(pending).closing = true;
        woken.notify_one();
        if let Some(thread) = lock(&self.thread).take()
            && thread.join().is_err()
        {
            tracing::error!("the sandbox's log ended in a panic");
        }
    }
}

impl Writer {
    fn run(mut self, pending: &(Mutex<Pending>, Condvar), folder: &Path, store: &Weak<Store>) -> std::io::Result<()> {
        let mut text = Vec::new();
        loop {
            let (revision, closing) = {
                let mut waiting = lock(&pending.0);
                while waiting.text.is_empty() && !waiting.closing {
                    waiting = pending.1.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                std::mem::swap(&mut waiting.text, &mut text);
                (waiting.revision, waiting.closing)
            };
            if !text.is_empty() {
                self.file.write_all(&text)?;
                self.file.sync_data()?;
                self.length += text.len() as u64;
                text.clear();
                // Whoever waited may be gone.
                let _ = self.durable.send(revision);
            } else if closing {
                return Ok(());
            }
            if self.length > SMALL.max(4 * self.dense)
                && let Some(store) = store.upgrade()
            {
                self.write_anew(folder, &store)?;
            }
        }
    }

    /// What is pending now is written behind it once more; the reader passes over it.
    fn write_anew(&mut self, folder: &Path, store: &Store) -> std::io::Result<()> {
        let next = folder.join(NEXT);
        let mut options = OpenOptions::new();
        let file = private(options.write(true).create(true).truncate(true)).open(&next)?;
        let (mut objects, revision) = store.all();
        // A log is read in the order of its revisions.
        objects.sort_by_key(|(_, record)| record.revision);
        let mut out = BufWriter::new(&file);
        let mut line = Vec::new();
        for (key, record) in &objects {
            line.clear();
            write_line(&mut line, key, &record.body, record.revision, false);
            out.write_all(&line)?;
        }
        line.clear();
        write_mark(&mut line, revision);
        out.write_all(&line)?;
        out.flush()?;
        drop(out);
        file.sync_all()?;
        fs::rename(&next, folder.join(FILE))?;
        sync_folder(folder)?;
        self.length = file.metadata()?.len();
        self.dense = self.length;
        self.file = file;
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The objects may be Secrets: nobody else reads the file.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A name in a folder is on disk when the folder is.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

fn write_line(out: &mut Vec<u8>, key: &Key, body: &[u8], revision: u64, gone: bool) {
    let change = if gone { "-" } else { "+" };
    let head = serde_json::json!([revision, change, *key.collection, *key.namespace, *key.name]).to_string();
    let head = head.trim_end_matches(']').as_bytes();
    write_checked(out, &[head, b",", body, b"]"]);
}

/// The counter itself, which may be beyond the last object that is left.
fn write_mark(out: &mut Vec<u8>, revision: u64) {
    write_checked(out, &[serde_json::json!([revision]).to_string().as_bytes()]);
}

fn write_checked(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let mut sum = crc32fast::Hasher::new();
    parts.iter().for_each(|part| sum.update(part));
    out.extend_from_slice(format!("{:08x} ", sum.finalize()).as_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.push(b'\n');
}

/// Reads a log; returns how long it is without what was cut off, and its last revision.
fn read(path: &Path, file: &File, found: &mut impl FnMut(Line)) -> Result<(u64, u64), LogError> {
    let mut reader = BufReader::new(file);
    let mut names = std::collections::HashMap::new();
    let (mut length, mut last, mut mark, mut line) = (0, 0, 0, Vec::new());
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(at(path))?;
        if read == 0 {
            break;
        }
        match parse(&line, &mut names) {
            Some(Line::Change { revision, .. }) if revision <= mark => {}
            Some(line) => {
                match &line {
                    Line::Change { revision, .. } => last = last.max(*revision),
                    Line::Mark(revision) => (last, mark) = (*revision, *revision),
                }
                found(line);
            }
            None if reader.fill_buf().map_err(at(path))?.is_empty() => break,
            None => return Err(LogError::Damaged { path: path.to_owned(), line: number }),
        }
        length += read as u64;
    }
    Ok((length, last))
}

type Names = std::collections::HashMap<String, Arc<str>>;

fn parse(line: &[u8], names: &mut Names) -> Option<Line> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, rest) = (line.get(..8)?, line.get(9..)?);
    if u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()? != crc32fast::hash(rest) {
        return None;
    }
    if let Ok([revision]) = serde_json::from_slice::<[u64; 1]>(rest) {
        return Some(Line::Mark(revision));
    }
    let (revision, change, collection, namespace, name, body): (
        u64,
        String,
        String,
        String,
        String,
        Box<serde_json::value::RawValue>,
    ) = serde_json::from_slice(rest).ok()?;
    let collection = names.entry(collection).or_insert_with_key(|name| Arc::from(name.as_str())).clone();
    let key = Key { collection, namespace: namespace.into(), name: name.into() };
    let body = body.get().as_bytes().into();
    Some(Line::Change { key, body, revision, gone: change == "-" })
}

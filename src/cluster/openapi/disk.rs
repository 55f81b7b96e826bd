//! Documents on disk, for the next start: named by server, document and the server's hash, each with a hash of its own so that a damaged
//! one is fetched again; readable by this user alone; the oldest make room.

use crate::object::sha256_hex;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What all documents may take together.
const ROOM: u64 = 32 << 20;
/// The largest document that is believed, unpacked.
const LARGEST: usize = 32 << 20;
/// Length of a SHA-256 in hex.
const MARK: usize = 64;
/// They are written once and read at every start.
const LEVEL: i32 = 9;

/// The documents of one server in a folder that servers share.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    server: String,
}

impl Disk {
    /// Names folder and server; nothing is made yet.
    pub fn new(folder: PathBuf, server: &str) -> Self {
        Self { folder, server: server.to_owned() }
    }
    /// Reads a document, and makes something of it; none where it is not there or damaged.
    pub async fn read<T: Send + 'static>(
        &self,
        name: &str,
        hash: &str,
        make: impl FnOnce(&[u8]) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let file = self.file(name, hash);
        tokio::task::spawn_blocking(move || {
            let made = content(&file).ok().flatten().and_then(|document| make(&document))?;
            // It was of use: others go first. Where that cannot be noted, it goes a little earlier.
            let _ = fs::File::open(&file).and_then(|file| file.set_modified(SystemTime::now()));
            Some(made)
        })
        .await
        .ok()
        .flatten()
    }
    /// Keeps a document. What cannot be kept is fetched again the next time.
    pub fn write(&self, name: &str, hash: &str, document: &[u8]) {
        if let Err(error) = self.put(&self.file(name, hash), document).and_then(|()| self.make_room()) {
            tracing::info!(folder = %self.folder.display(), %error, "an OpenAPI document is not kept");
        }
    }

    fn file(&self, name: &str, hash: &str) -> PathBuf {
        self.folder.join(format!("{}.zst", sha256_hex(format!("{}\n{name}\n{hash}", self.server))))
    }

    fn put(&self, file: &Path, document: &[u8]) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&self.folder)?;
        let packed = zstd::bulk::compress(document, LEVEL)?;
        // Made with mode 0600, and there under its name only when it is whole.
        let mut whole = tempfile::NamedTempFile::new_in(&self.folder)?;
        whole.write_all(sha256_hex(&packed).as_bytes())?;
        whole.write_all(&packed)?;
        whole.persist(file)?;
        Ok(())
    }

    fn make_room(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        files.sort();
        let mut taken: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, file) in files {
            if taken <= ROOM {
                break;
            }
            match fs::remove_file(&file) {
                // Another console made room at the same time.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => taken -= size,
            }
        }
        Ok(())
    }
}

fn content(file: &Path) -> io::Result<Option<Vec<u8>>> {
    let bytes = fs::read(file)?;
    let Some((mark, packed)) = bytes.split_at_checked(MARK) else { return Ok(None) };
    if sha256_hex(packed).as_bytes() != mark {
        return Ok(None);
    }
    zstd::bulk::decompress(packed, LARGEST.min(zstd::bulk::Decompressor::upper_bound(packed).unwrap_or(LARGEST)))
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(disk: &Disk, name: &str, hash: &str) -> Option<Vec<u8>> {
        content(&disk.file(name, hash)).ok().flatten()
    }

    #[test]
    fn a_document_is_read_back_by_its_hash_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().join("openapi"), "server");
        disk.write("apps/v1", "H1", b"{\"a\": 1}");
        assert_eq!(read(&disk, "apps/v1", "H1").unwrap(), b"{\"a\": 1}");
        let other = Disk::new(folder.path().join("openapi"), "another");
        for (disk, name, hash) in [(&disk, "apps/v1", "H2"), (&disk, "v1", "H1"), (&other, "apps/v1", "H1")] {
            assert_eq!(read(disk, name, hash), None);
        }
        let file = disk.file("apps/v1", "H1");
        let whole = fs::read(&file).unwrap();
        for damage in [&whole[..0], &whole[..MARK], &whole[..whole.len() - 1], &[b"x", &whole[..]].concat()] {
            fs::write(&file, damage).unwrap();
            assert_eq!(read(&disk, "apps/v1", "H1"), None);
        }
        disk.write("apps/v1", "H1", b"{\"a\": 1}");
        assert_eq!(read(&disk, "apps/v1", "H1").unwrap(), b"{\"a\": 1}", "it is written over");
    }

    #[cfg(unix)]
    #[test]
    fn only_this_user_can_read_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().join("a/openapi"), "server");
        disk.write("v1", "H", b"{}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&disk.folder), mode(&disk.file("v1", "H"))), (0o700, 0o600));
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().to_owned(), "server");
        for (age, name) in [(3, "old"), (2, "young")] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_len(ROOM / 2).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        }
        disk.write("v1", "H", b"{}");
        let left = |name: &str| folder.path().join(name).exists();
        assert!(!left("old") && left("young") && read(&disk, "v1", "H").is_some());
    }

    #[test]
    fn a_folder_that_cannot_be_written_does_no_harm() {
        let file = tempfile::NamedTempFile::new().unwrap();
        Disk::new(file.path().join("openapi"), "server").write("v1", "H", b"{}");
    }
}

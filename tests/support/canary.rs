//! Values that nobody may ever see again, and a search for them that looks into compressed and encoded bytes.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read,
    path::Path,
};

/// How deep encodings are followed: base64 of zstd of JSON that holds base64.
const DEPTH: usize = 4;
/// Runs of base64's letters shorter than this hold no canary.
const SHORTEST: usize = 20;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The canaries of one test.
#[derive(Default)]
pub struct Canaries {
    needles: Vec<Vec<u8>>,
}

impl Canaries {
    /// Makes a value of random words on one line.
    pub fn line(&mut self, name: &str) -> String {
        let mut bytes = [0; 12];
        File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).expect("random bytes");
        let mut value = format!("{name}-");
        for byte in bytes {
            let _ = write!(value, "{byte:02x}");
        }
        self.needles.push(value.clone().into_bytes());
        self.needles.push(STANDARD.encode(&value).trim_end_matches('=').as_bytes().to_vec());
        value
    }

    /// Makes a value of two lines; each of them is looked for, and the whole as Secrets hold it.
    pub fn lines(&mut self, name: &str) -> String {
        let value = format!("{}\n{}\n", self.line(name), self.line(name));
        self.needles.push(STANDARD.encode(&value).into_bytes());
        value
    }

    /// Fails the test where a canary is in these bytes, as they are, compressed, or encoded.
    #[track_caller]
    pub fn must_not_be_in(&self, what: &str, bytes: &[u8]) {
        if let Some(found) = self.find(bytes, DEPTH) {
            let text: String = String::from_utf8_lossy(bytes).chars().take(4000).collect();
            panic!("{found} is in {what}:\n{text}");
        }
    }

    /// The canary that is in these bytes, if one is.
    pub fn find(&self, bytes: &[u8], depth: usize) -> Option<String> {
        let holds = |needle: &&Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle.as_slice());
        if let Some(needle) = self.needles.iter().find(holds) {
            return Some(String::from_utf8_lossy(needle).into_owned());
        }
        if depth == 0 {
            return None;
        }
        let frames = bytes.windows(4).enumerate().filter(|(_, window)| *window == ZSTD).map(|(at, _)| at);
        let unpacked = frames.filter_map(|at| {
            let mut content = Vec::new();
            // What was read before an error counts: a frame may be followed by anything.
            let read = zstd::stream::read::Decoder::new(&bytes[at..]).and_then(|mut d| d.read_to_end(&mut content));
            (read.is_ok() || !content.is_empty()).then_some(content)
        });
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
        let runs = bytes.split(|byte| !is_letter(byte)).filter(|run| run.len() >= SHORTEST);
        // From each of the places in which a group can start.
        let decoded = runs.flat_map(|run| {
            (0..4).filter_map(move |start| {
                let run = &run[start..];
                STANDARD.decode(&run[..run.len() - run.len() % 4]).ok()
            })
        });
        unpacked.chain(decoded).find_map(|inner| self.find(&inner, depth - 1))
    }

    /// Fails the test where a canary is in a file below a folder. Git's own objects are left out: they hold what was committed.
    /// Returns how many files were looked at.
    #[track_caller]
    pub fn must_not_be_below(&self, folder: &Path) -> usize {
        let mut seen = 0;
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        for entry in entries {
            let path = entry.expect("the folder can be read").path();
            let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
            if kind.is_dir() && path.file_name().is_some_and(|name| name != "objects") {
                seen += self.must_not_be_below(&path);
            } else if kind.is_file() {
                self.must_not_be_in(&path.display().to_string(), &fs::read(&path).expect("a file of the home"));
                seen += 1;
            }
        }
        seen
    }
}

//! JSON documents as compressed bytes, parsed on demand: a parsed object takes some fifteen times the room of its text, and
//! most of the objects that are known are looked at only when they move.

use serde_json::Value;
use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};
use zstd::{
    dict::{DecoderDictionary, EncoderDictionary},
    zstd_safe::{CCtx, DCtx, compress_bound},
};

/// zstd's fastest regular level: a better one saves a tenth of the room and costs twice the time.
const LEVEL: i32 = 1;
/// The part of a sample that serves as dictionary.
const LARGEST_DICTIONARY: usize = 16 << 10;
/// How a zstd frame begins; no JSON text does.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// Idle contexts that are kept for reuse; each holds some hundred KiB.
const CONTEXTS: usize = 2;

static COMPRESSING: Mutex<Vec<CCtx<'static>>> = Mutex::new(Vec::new());
static DECOMPRESSING: Mutex<Vec<DCtx<'static>>> = Mutex::new(Vec::new());

/// A JSON document kept as compressed bytes. Cheap to clone. Printing it shows its size and none of its content.
#[derive(Clone)]
pub struct Packed {
    bytes: Arc<[u8]>,
    length: usize,
    dictionary: Option<Arc<Dictionary>>,
}

/// Why a document cannot be read back: it is nested deeper than can be parsed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("it is nested too deeply to be read")]
pub struct Unreadable;

/// A document whose like are to be packed: what they have in common is stored once.
pub struct Dictionary {
    encoder: EncoderDictionary<'static>,
    decoder: DecoderDictionary<'static>,
}

impl Dictionary {
    /// So many alike have to be known before one of them is worth a dictionary, which takes some 80 KiB.
    pub const WORTH_IT: usize = 128;
    /// Takes a sample.
    pub fn of(sample: &[u8]) -> Self {
        let sample = &sample[..sample.len().min(LARGEST_DICTIONARY)];
        Self { encoder: EncoderDictionary::copy(sample, LEVEL), decoder: DecoderDictionary::copy(sample) }
    }
}

impl Packed {
    /// Packs the text of a document, which must be JSON.
    pub fn text(json: &[u8], dictionary: Option<&Arc<Dictionary>>) -> Self {
        let mut context = take(&COMPRESSING).unwrap_or_else(CCtx::create);
        let mut packed = Vec::with_capacity(compress_bound(json.len()));
        let done = match dictionary {
            Some(dictionary) => context.compress_using_cdict(&mut packed, json, dictionary.encoder.as_cdict()),
            None => context.compress(&mut packed, json, LEVEL),
        };
        give(&COMPRESSING, context);
        match done {
            Ok(_) => Self { bytes: packed.into(), length: json.len(), dictionary: dictionary.cloned() },
            // zstd refuses nothing that fits its own bound, but for want of memory; the text itself is kept then (see `read`).
            Err(_) => Self { bytes: json.into(), length: json.len(), dictionary: None },
        }
    }
    /// Packs a value.
    pub fn value(value: &Value) -> Self {
        Self::text(value.to_string().as_bytes(), None)
    }
    /// Parses it.
    ///
    /// # Errors
    /// [`Unreadable`] for a document that is nested too deeply.
    pub fn read(&self) -> Result<Value, Unreadable> {
        serde_json::from_slice(&self.json()?).map_err(|_| Unreadable)
    }
    /// Returns its text.
    ///
    /// # Errors
    /// [`Unreadable`] where memory is short.
    pub fn json(&self) -> Result<Cow<'_, [u8]>, Unreadable> {
        if !self.bytes.starts_with(&ZSTD_MAGIC) {
            return Ok(Cow::Borrowed(&self.bytes));
        }
        let mut context = take(&DECOMPRESSING).unwrap_or_else(DCtx::create);
        let mut json = Vec::with_capacity(self.length);
        let done = match &self.dictionary {
            Some(dictionary) => context.decompress_using_ddict(&mut json, &self.bytes, dictionary.decoder.as_ddict()),
            None => context.decompress(&mut json, &self.bytes),
        };
        give(&DECOMPRESSING, context);
        done.map(|_| Cow::Owned(json)).map_err(|_| Unreadable)
    }
    /// Returns what it was packed with.
    pub fn dictionary(&self) -> Option<&Arc<Dictionary>> {
        self.dictionary.as_ref()
    }
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({} of {} bytes)", self.bytes.len(), self.length)
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dictionary")
    }
}

fn take<T>(contexts: &Mutex<Vec<T>>) -> Option<T> {
    contexts.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn give<T>(contexts: &Mutex<Vec<T>>, context: T) {
    let mut contexts = contexts.lock().unwrap_or_else(PoisonError::into_inner);
    if contexts.len() < CONTEXTS {
        contexts.push(context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_packed_is_read_back_with_and_without_a_dictionary() {
        let sample =
            json!({"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"app": "shop"}}, "data": {"k": "1"}});
        let dictionary = Arc::new(Dictionary::of(sample.to_string().as_bytes()));
        for index in 0..100 {
            let mut value = sample.clone();
            value["data"]["k"] = json!("x".repeat(index * 37));
            let (alone, alike) = (Packed::value(&value), Packed::text(value.to_string().as_bytes(), Some(&dictionary)));
            assert_eq!((alone.read().unwrap(), alike.read().unwrap()), (value.clone(), value));
            assert!(alike.size() < alone.size());
        }
        assert_eq!(Packed::value(&json!(null)).read(), Ok(Value::Null));
    }

    #[test]
    fn a_document_nested_too_deeply_is_unreadable_and_no_panic() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(Packed::text(deep.as_bytes(), None).read(), Err(Unreadable));
    }

    #[test]
    fn printing_shows_no_content() {
        assert!(!format!("{:?}", Packed::value(&json!({"password": "hunter2"}))).contains("hunter2"));
    }
}

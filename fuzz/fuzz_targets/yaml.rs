//! Any text is read the same with and without the short way of the common form. The short way gives up at a byte order
//! mark, and the library reads a document behind one as if it were not there.
#![no_main]

use driftdeck::object::documents;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // One document a text, and no JSON: what stands between documents is not the matter here.
    let is_one = !text.contains("---") && !text.trim_start().starts_with('{') && !text.contains('\u{feff}');
    if !is_one {
        return;
    }
    let read = |text: &str| documents(text).into_iter().next().map(|document| (document.value, document.warnings));
    // A blank text is no document; behind a mark it would be read, and may hold what the library refuses.
    let Some(read_shortly) = read(text) else { return };
    // The first mark is the stream's.
    assert_eq!(Some(read_shortly), read(&format!("\u{feff}\u{feff}{text}")));
});

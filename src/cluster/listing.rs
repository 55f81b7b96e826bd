//! The answer to a LIST, taken apart while it arrives: a server may answer with everything at once, and tens of megabytes need not be
//! held for the sake of objects of a few kilobytes.

use serde::Deserialize;

/// Tells the items of a list apart, whatever pieces its text comes in.
#[derive(Default)]
pub(super) struct Listing {
    /// The text outside of the items.
    head: Vec<u8>,
    /// The item that has begun.
    item: Vec<u8>,
    depth: usize,
    in_items: bool,
    in_text: bool,
    escaped: bool,
}

/// What a list says of itself.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Head {
    /// Its `metadata`.
    #[serde(default)]
    pub metadata: ListMeta,
}

/// `metadata` of a list.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ListMeta {
    /// The state that was listed.
    #[serde(default, rename = "resourceVersion")]
    pub resource_version: String,
    /// Where the next page begins; empty: there is none.
    #[serde(default, rename = "continue")]
    pub next: String,
}

impl Listing {
    /// Takes the next piece, and hands out each item that is whole with it.
    pub fn take(&mut self, piece: &[u8], item: &mut impl FnMut(&[u8])) {
        // The part of this piece that has been seen and not been kept yet.
        let mut from = 0;
        for (at, byte) in piece.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => {
                    if self.depth == 2 && self.in_items {
                        from = at;
                    }
                    self.depth += 1;
                    // The one list among the members of a Kubernetes list is that of its items.
                    if self.depth == 2 && *byte == b'[' {
                        self.in_items = true;
                        self.head.extend_from_slice(&piece[from..=at]);
                        from = at + 1;
                    }
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.in_items && self.depth == 2 {
                        if self.item.is_empty() {
                            item(&piece[from..=at]);
                        } else {
                            self.item.extend_from_slice(&piece[from..=at]);
                            item(&self.item);
                            self.item.clear();
                        }
                        from = at + 1;
                    } else if self.in_items && self.depth < 2 {
                        self.in_items = false;
                        from = at;
                    }
                }
                _ => {}
            }
        }
        // Between the items there is nothing but commas and blanks.
        match (self.in_items, self.depth) {
            (false, _) => self.head.extend_from_slice(&piece[from..]),
            (true, 0..=2) => {}
            (true, _) => self.item.extend_from_slice(&piece[from..]),
        }
    }
    /// Reads what the list says of itself, once all of it has come.
    ///
    /// # Errors
    /// Where it is no JSON, or has been cut off.
    pub fn finish(&self) -> Result<Head, serde_json::Error> {
        serde_json::from_slice(&self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn split(text: &[u8], pieces: usize) -> (Vec<Value>, Result<Head, serde_json::Error>) {
        let (mut listing, mut items) = (Listing::default(), Vec::new());
        for piece in text.chunks(pieces.max(1)) {
            listing.take(piece, &mut |item| items.push(serde_json::from_slice(item).unwrap_or_default()));
        }
        (items, listing.finish())
    }

    #[test]
    fn items_come_out_whole_however_the_text_was_cut() {
        let items = vec![
            json!({"metadata": {"name": "a\"]}\\"}, "list": [1, [2, {"x": "[{"}]]}),
            json!({}),
            json!({"metadata": {"name": "é"}, "items": [{"b": 1}]}),
        ];
        for items in [items, vec![]] {
            let list = json!({"kind": "List", "metadata": {"resourceVersion": "7", "continue": "c,d"}, "items": items, "zone": "z,y"});
            for text in [list.to_string(), serde_json::to_string_pretty(&list).unwrap()] {
                for pieces in 1..text.len() + 1 {
                    let (found, head) = split(text.as_bytes(), pieces);
                    assert_eq!(found, items, "{pieces}");
                    let metadata = ListMeta { resource_version: "7".into(), next: "c,d".into() };
                    assert_eq!(head.unwrap(), Head { metadata });
                }
            }
        }
    }

    #[test]
    fn a_list_without_items_is_empty_and_one_cut_off_is_an_error() {
        let (items, head) = split(br#"{"metadata": {"resourceVersion": "1"}, "items": null}"#, 7);
        assert!(items.is_empty() && head.unwrap().metadata.resource_version == "1");
        for text in ["", "{", r#"{"items": [{"a": 1}"#, r#"{"items": [{"a": 1}, {"b""#] {
            assert!(split(text.as_bytes(), 3).1.is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>, text in "[\\[\\]{}\":,a0\\\\]{0,60}", pieces in 1_usize..9) {
            let _ = split(&bytes, pieces);
            let _ = split(text.as_bytes(), pieces);
        }
    }
}

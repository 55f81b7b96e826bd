//! An OpenAPI document without what only people read: descriptions are most of it, and of its paths only what can be patched counts.

use super::super::members::Members;
use serde_json::value::RawValue;

/// Returns the document without descriptions, and of each path only the kind that can be patched there.
///
/// # Errors
/// Where it is no JSON mapping.
pub(super) fn descriptions(document: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let Members(members) = serde_json::from_slice(document)?;
    let mut out = Vec::with_capacity(document.len() / 3);
    out.push(b'{');
    for (name, value) in &members {
        name.write(&mut out);
        match name.0.as_ref() {
            "paths" => paths(value, &mut out)?,
            _ => node(value, false, &mut out)?,
        }
        out.push(b',');
    }
    close(&mut out, b'}');
    Ok(out)
}

fn paths(paths: &RawValue, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    const KIND: &str = "x-kubernetes-group-version-kind";
    let Members(paths) = serde_json::from_str(paths.get())?;
    out.push(b'{');
    for (path, operations) in &paths {
        let Members(operations) = serde_json::from_str(operations.get())?;
        let Some((_, patch)) = operations.iter().find(|(name, _)| name.0 == "patch") else { continue };
        let Members(patch) = serde_json::from_str(patch.get())?;
        let Some((name, kind)) = patch.iter().find(|(name, _)| name.0 == KIND) else { continue };
        path.write(out);
        out.extend_from_slice(b"{\"patch\":{");
        name.write(out);
        out.extend_from_slice(kind.get().as_bytes());
        out.extend_from_slice(b"}},");
    }
    close(out, b'}');
    Ok(())
}

/// Copies a part of the document; `named`: its members are called by names, not by keywords.
fn node(value: &RawValue, named: bool, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    match value.get().as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(value.get())?;
            out.push(b'{');
            for (name, value) in &members {
                match name.0.as_ref() {
                    "description" | "externalDocs" | "example" if !named => continue,
                    // What a value is by default is a value, and no part of the schema.
                    "default" | "enum" if !named => {
                        name.write(out);
                        out.extend_from_slice(value.get().as_bytes());
                    }
                    keyword => {
                        let names = !named && matches!(keyword, "properties" | "patternProperties" | "schemas");
                        name.write(out);
                        node(value, names, out)?;
                    }
                }
                out.push(b',');
            }
            close(out, b'}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(value.get())?;
            out.push(b'[');
            for item in items {
                node(item, false, out)?;
                out.push(b',');
            }
            close(out, b']');
        }
        _ => out.extend_from_slice(value.get().as_bytes()),
    }
    Ok(())
}

/// Ends a mapping or a list whose members each ended with a comma.
fn close(out: &mut Vec<u8>, end: u8) {
    match out.last_mut() {
        Some(last) if *last == b',' => *last = end,
        _ => out.push(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn descriptions_go_and_fields_of_that_name_stay() {
        let document = json!({"openapi": "3.0.0", "info": {"description": "d", "title": "t"},
            "paths": {"/apis/x/v1/things/{name}": {"parameters": [1], "get": {"description": "d"},
                "patch": {"description": "d", "responses": {}, "x-kubernetes-group-version-kind": {"group": "x", "kind": "Thing", "version": "v1"}}},
                "/apis/x/v1/": {"get": {}}},
            "components": {"schemas": {"description": {"description": "d", "type": "object", "properties": {
                "description": {"type": "string", "description": "d"}, "example": {"type": "string", "default": {"description": "kept"}}},
                "allOf": [{"description": "d", "$ref": "r"}], "required": ["description"], "enum": []}}}});
        let stripped: Value = serde_json::from_slice(&descriptions(document.to_string().as_bytes()).unwrap()).unwrap();
        assert_eq!(
            stripped,
            json!({"openapi": "3.0.0", "info": {"title": "t"},
                "paths": {"/apis/x/v1/things/{name}": {"patch": {"x-kubernetes-group-version-kind": {"group": "x", "kind": "Thing", "version": "v1"}}}},
                "components": {"schemas": {"description": {"type": "object", "properties": {
                    "description": {"type": "string"}, "example": {"type": "string", "default": {"description": "kept"}}},
                    "allOf": [{"$ref": "r"}], "required": ["description"], "enum": []}}}})
        );
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for text in ["", "[]", "{\"paths\": []}", "{\"components\": {"] {
            assert!(descriptions(text.as_bytes()).is_err(), "{text}");
        }
    }
}

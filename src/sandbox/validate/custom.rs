//! Custom resources, by the structural schema of their version (go-openapi's validation, as apiextensions-apiserver
//! uses it). Rules in CEL are not evaluated.

use crate::sandbox::failure::Cause;
use serde_json::Value;

/// Deeper than any schema that the server admits.
const DEEPEST: usize = 100;

pub(super) fn check(version: &Value, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(schema) = version.pointer("/schema/openAPIV3Schema") {
        let mut walk = Walk { causes: &mut causes };
        walk.value(schema, object, "", 0);
    }
    causes
}

struct Walk<'a> {
    causes: &'a mut Vec<Cause>,
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Walk<'_> {
    fn value(&mut self, schema: &Value, value: &Value, path: &str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        if value.is_null() && schema.get("nullable") == Some(&true.into()) {
            return;
        }
        let fits = self.has_type(schema, value, path);
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let texts: Vec<String> =
                allowed.iter().map(|known| known.as_str().map_or_else(|| known.to_string(), str::to_owned)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            self.causes.push(Cause::unsupported(path, value, &texts));
        }
        if !fits {
            return;
        }
        match value {
            Value::Object(members) => self.object(schema, members, path, depth),
            Value::Array(items) => self.list(schema, items, path, depth),
            Value::String(text) => self.text(schema, text, path),
            Value::Number(number) => self.number(schema, number, path),
            _ => {}
        }
    }

    fn has_type(&mut self, schema: &Value, value: &Value, path: &str) -> bool {
        if schema.get("x-kubernetes-int-or-string") == Some(&true.into()) {
            return true;
        }
        let Some(wanted) = schema.get("type").and_then(Value::as_str) else { return true };
        let is = kind_of(value);
        let fits = wanted == is || wanted == "number" && is == "integer";
        if !fits {
            let why = format!("{path} in body must be of type {wanted}: {is:?}");
            self.causes.push(Cause {
                reason: "FieldValueTypeInvalid",
                field: path.to_owned(),
                message: format!("Invalid value: {is:?}: {why}"),
            });
        }
        fits
    }

    fn object(&mut self, schema: &Value, members: &serde_json::Map<String, Value>, path: &str, depth: usize) {
        let inside = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.causes.push(Cause::required(inside(name), ""));
            }
        }
        let properties = schema.get("properties");
        for (name, member) in members {
            if let Some(property) = properties.and_then(|properties| properties.get(name)) {
                self.value(property, member, &inside(name), depth + 1);
            } else if let Some(more @ Value::Object(_)) = schema.get("additionalProperties") {
                self.value(more, member, &inside(name), depth + 1);
            }
        }
        self.size(schema, members.len(), "Properties", "properties", path);
    }

    fn list(&mut self, schema: &Value, items: &[Value], path: &str, depth: usize) {
        if let Some(each) = schema.get("items") {
            for (at, item) in items.iter().enumerate() {
                self.value(each, item, &format!("{path}[{at}]"), depth + 1);
            }
        }
        self.size(schema, items.len(), "Items", "items", path);
    }

    fn size(&mut self, schema: &Value, size: usize, what: &str, named: &str, path: &str) {
        let bound = |side: &str| schema.get(format!("{side}{what}")).and_then(Value::as_u64);
        if let Some(most) = bound("max").filter(|most| size as u64 > *most) {
            self.causes.push(Cause {
                reason: "FieldValueTooMany",
                field: path.to_owned(),
                message: format!("Too many: {size}: must have at most {most} items"),
            });
        }
        if let Some(least) = bound("min").filter(|least| (size as u64) < *least) {
            let why = format!("{path} in body should have at least {least} {named}");
            self.causes.push(Cause::invalid(path, &size.into(), &why));
        }
    }

    fn text(&mut self, schema: &Value, text: &str, path: &str) {
        let length = text.chars().count() as u64;
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            self.causes.push(Cause {
                reason: "FieldValueTooLong",
                field: path.to_owned(),
                message: format!("Too long: may not be more than {most} bytes"),
            });
        }
        if let Some(least) = bound("minLength").filter(|least| length < *least) {
            let why = format!("{path} in body should be at least {least} chars long");
            self.causes.push(Cause::invalid(path, &text.into(), &why));
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && let Ok(expression) = regex_lite::Regex::new(pattern)
            && !expression.is_match(text)
        {
            let why = format!("{path} in body should match '{pattern}'");
            self.causes.push(Cause::invalid(path, &text.into(), &why));
        }
    }

    fn number(&mut self, schema: &Value, number: &serde_json::Number, path: &str) {
        let value = number.as_f64().unwrap_or_default();
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let is = |name: &str| schema.get(name) == Some(&true.into());
        let shown = Value::Number(number.clone());
        if let Some(least) = bound("minimum") {
            let (broken, words) = match is("exclusiveMinimum") {
                true => (value <= least, "greater than"),
                false => (value < least, "greater than or equal to"),
            };
            if broken {
                self.causes.push(Cause::invalid(path, &shown, &format!("{path} in body should be {words} {least}")));
            }
        }
        if let Some(most) = bound("maximum") {
            let (broken, words) = match is("exclusiveMaximum") {
                true => (value >= most, "less than"),
                false => (value > most, "less than or equal to"),
            };
            if broken {
                self.causes.push(Cause::invalid(path, &shown, &format!("{path} in body should be {words} {most}")));
            }
        }
    }
}

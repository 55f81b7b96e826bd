//! `driftdeck keys`: the console's table of actions.

use super::{error::CliError, exit::Exit, output::Style, session::Context};
use serde_json::{Value, json};

/// Prints the table: a list of actions with id, keys, scope, label and danger.
///
/// # Errors
/// [`CliError::Output`].
pub fn run(actions: &Value, context: &Context) -> Result<Exit, CliError> {
    if !context.out.is_text() {
        context.out.document("Keys", json!({ "items": actions }))?;
        return Ok(Exit::Done);
    }
    let field = |action: &Value, name: &str| match action.get(name) {
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let columns = ["keys", "id", "scope", "label"];
    let title = columns.iter().map(|name| (Style::Bold, name.to_uppercase())).collect();
    let rows = actions
        .as_array()
        .into_iter()
        .flatten()
        .map(|action| columns.iter().map(|name| (Style::Plain, field(action, name))).collect());
    let mut text = context.out.text();
    text.columns(&std::iter::once(title).chain(rows).collect::<Vec<_>>());
    context.out.print(text)?;
    Ok(Exit::Done)
}

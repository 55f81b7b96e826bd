//! Colours and weights by role. Themes are data in `assets/themes`; without colour only weights stay.

use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;

const DEFAULT: &str = include_str!("../../assets/themes/default.toml");

/// What a piece of text is, for its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Ordinary text.
    Plain,
    /// Good.
    Ok,
    /// Out of sync, pending, worth a look.
    Pending,
    /// Drifted.
    Drift,
    /// Failed.
    Failed,
    /// Under way.
    Running,
    /// Of second rank, disabled, old.
    Muted,
    /// Of first rank.
    Strong,
    /// Border and title of the pane with the focus.
    Focus,
    /// A production target.
    Production,
    /// Added line.
    Added,
    /// Removed line.
    Removed,
    /// Changed part of a line, on top of the line's own style.
    Mark,
    /// Title of a hunk.
    Title,
    /// A key in a hint.
    Key,
}

const ROLES: [(&str, Role); 14] = [
    ("ok", Role::Ok),
    ("pending", Role::Pending),
    ("drift", Role::Drift),
    ("failed", Role::Failed),
    ("running", Role::Running),
    ("muted", Role::Muted),
    ("strong", Role::Strong),
    ("focus", Role::Focus),
    ("production", Role::Production),
    ("added", Role::Added),
    ("removed", Role::Removed),
    ("mark", Role::Mark),
    ("title", Role::Title),
    ("key", Role::Key),
];

/// Styles by role.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Theme {
    styles: BTreeMap<Role, Style>,
}

impl Theme {
    /// Returns the theme of a name, `plain` (no colour at all) where `NO_COLOR` asks for it.
    ///
    /// # Errors
    /// Says which themes there are, or what is wrong with the file.
    pub fn named(name: &str, no_color: bool) -> Result<Self, String> {
        let mut theme = match name {
            "" | "default" | "plain" => Self::parse(DEFAULT)?,
            other => return Err(format!("there is no theme `{other}`; themes: default, plain")),
        };
        if no_color || name == "plain" {
            for style in theme.styles.values_mut() {
                style.fg = None;
                style.bg = None;
            }
        }
        Ok(theme)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: BTreeMap<String, String> = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut styles = BTreeMap::new();
        for (name, words) in table {
            let role = ROLES.iter().find(|(known, _)| *known == name).ok_or(format!("theme: unknown role `{name}`"))?.1;
            let mut style = Style::new();
            for word in words.split_whitespace() {
                style = match word {
                    "bold" => style.add_modifier(Modifier::BOLD),
                    "dim" => style.add_modifier(Modifier::DIM),
                    "italic" => style.add_modifier(Modifier::ITALIC),
                    "underlined" => style.add_modifier(Modifier::UNDERLINED),
                    "reversed" => style.add_modifier(Modifier::REVERSED),
                    colour => style.fg(colour.parse::<Color>().map_err(|_| format!("theme: {name}: `{colour}`?"))?),
                };
            }
            styles.insert(role, style);
        }
        Ok(Self { styles })
    }

    /// Returns the style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }
}

/// The cursor's row: reversed, which no colour setting takes away.
pub const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_theme_names_every_role_and_no_background() {
        let theme = Theme::named("default", false).unwrap();
        for (name, role) in ROLES {
            assert!(theme.styles.contains_key(&role), "{name}");
            assert_eq!(theme.style(role).bg, None, "{name}");
            assert_ne!(theme.style(role).fg, Some(Color::Blue), "blue is unreadable on many palettes: {name}");
        }
    }

    #[test]
    fn no_color_keeps_weights_and_drops_every_colour() {
        let theme = Theme::named("default", true).unwrap();
        assert!(ROLES.iter().all(|(_, role)| theme.style(*role).fg.is_none()));
        assert!(theme.style(Role::Mark).add_modifier.contains(Modifier::UNDERLINED));
    }

    #[test]
    fn an_unknown_theme_names_those_that_exist() {
        assert!(Theme::named("neon", false).unwrap_err().contains("default"));
    }
}

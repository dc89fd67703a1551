//! Colour by role, and the width of a line. Knows nothing of terminals: whoever makes a [`Style`]
//! has looked.

use colored::Color;

/// What a piece of text is for; never which colour it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Plain,
    Good,
    Bad,
    Warn,
    Hint,
    Dim,
}

/// How text is dressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    pub color: bool,
    /// Most characters of a line that is not a command.
    pub width: usize,
}

/// Where no terminal says otherwise.
const WIDTH: usize = 80;

impl Default for Style {
    fn default() -> Self {
        Style::plain()
    }
}

impl Style {
    /// 80 columns, no colour.
    pub fn plain() -> Self {
        Style { color: false, width: WIDTH }
    }

    pub fn good(&self, text: &str) -> String {
        self.dress(Role::Good, text)
    }

    pub fn bad(&self, text: &str) -> String {
        self.dress(Role::Bad, text)
    }

    pub fn warn(&self, text: &str) -> String {
        self.dress(Role::Warn, text)
    }

    pub fn hint(&self, text: &str) -> String {
        self.dress(Role::Hint, text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.dress(Role::Dim, text)
    }

    /// Colours the words of `text` and leaves the space around them alone. Written out rather
    /// than through `Colorize`, whose answer depends on the process' terminal and environment.
    pub fn dress(&self, role: Role, text: &str) -> String {
        let color = match role {
            Role::Plain => None,
            Role::Good => Some(Color::Green),
            Role::Bad => Some(Color::Red),
            Role::Warn => Some(Color::Yellow),
            Role::Hint => Some(Color::Cyan),
            Role::Dim => Some(Color::BrightBlack),
        };
        let words = text.trim();
        match color.filter(|_| self.color && !words.is_empty()) {
            Some(color) => {
                let dressed = format!("\u{1b}[{}m{words}\u{1b}[0m", color.to_fg_str());
                text.replacen(words, &dressed, 1)
            }
            None => text.to_owned(),
        }
    }
}

//! Marks that mislead whoever reads text of others on a screen.

/// Marks that change the order in which text is shown, or hide in it.
#[must_use]
pub fn is_invisible(one: char) -> bool {
    matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{61c}' | '\u{feff}')
}

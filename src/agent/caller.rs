//! How it is called: the commands that its words name are those of the program a person has.

use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// `prom-fix-agent`
    Agent,
    /// `kubectl prom-fix`
    Plugin,
}

impl Caller {
    pub fn salvage(self, dir: &Path) -> String {
        let dir = quoted(dir);
        match self {
            Caller::Agent => format!("prom-fix-agent salvage {dir}"),
            Caller::Plugin => format!("kubectl prom-fix wal --data {dir} --apply"),
        }
    }

    pub fn resume(self, dir: &Path) -> String {
        let dir = quoted(dir);
        match self {
            Caller::Agent => format!("prom-fix-agent resume {dir}"),
            Caller::Plugin => format!("kubectl prom-fix resume --data {dir}"),
        }
    }

    pub fn restore(self, dir: &Path) -> String {
        let dir = quoted(dir);
        match self {
            Caller::Agent => format!("prom-fix-agent restore {dir}"),
            Caller::Plugin => format!("kubectl prom-fix undo --data {dir}"),
        }
    }

    /// What makes it print JSON.
    pub fn json(self) -> &'static str {
        match self {
            Caller::Agent => "--json",
            Caller::Plugin => "-o json",
        }
    }
}

/// As a shell takes it for one word.
fn quoted(dir: &Path) -> String {
    let text = dir.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=\\".contains(c);
    if text.chars().all(plain) && (cfg!(windows) || !text.contains('\\')) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_pasted() {
        let all = ["/data/a-b", "./my data", "it's"].map(|dir| Caller::Agent.restore(dir.as_ref()));
        let told = ["/data/a-b", "'./my data'", "'it'\\''s'"];
        assert_eq!(all, told.map(|dir| format!("prom-fix-agent restore {dir}")));
        let plugin = Caller::Plugin.salvage("/data".as_ref());
        assert_eq!(plugin, "kubectl prom-fix wal --data /data --apply");
    }
}

//! Every folder under `tests/cases` is a bundle and what the program says of it: `session` holds
//! commands with their stdout, stderr and exit number. `UPDATE_CASES=1 cargo test cases` writes
//! what it says now; read the difference like code.
//!
//! ```text
//! $ diagnose --bundle BUNDLE
//! a line of stdout
//! ! a line of stderr
//! ? 2
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(ROOT).join("tests/cases");
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/cases is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.join("session").is_file())
        .collect();
    out.sort();
    out
}

/// One command of a session, run from the repository's root.
fn run(line: &str, case: &Path) -> String {
    let bundle = case.strip_prefix(ROOT).expect("a case is in the tree").join("bundle");
    let bundle = bundle.to_str().expect("names of cases are plain");
    let words = line.split_whitespace().map(|word| word.replace("BUNDLE", bundle));
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-prom-fix"))
        .args(words)
        .current_dir(ROOT)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .env("NO_COLOR", "1")
        .output()
        .expect("the program starts");
    let mut out = format!("$ {line}\n");
    out.push_str(&String::from_utf8_lossy(&output.stdout).replace(bundle, "BUNDLE"));
    if !out.ends_with('\n') {
        out.push('\n');
    }
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let _ = writeln!(out, "! {}", line.replace(bundle, "BUNDLE"));
    }
    let _ = writeln!(out, "? {}", output.status.code().unwrap_or(-1));
    out
}

/// What no plan may ask for, wherever it stands in it.
fn forbidden(value: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::Object(all) => all.iter().find_map(|(key, value)| {
            let root = key == "runAsUser" && *value == 0;
            let open = key.ends_with("ode") && (*value == 0o777 || *value == "0777");
            let path = key == "path" && value.as_str().is_some_and(|p| p.ends_with("/runAsUser"));
            let zero = path && all.get("op").is_some_and(|op| op != "test");
            let zero = zero && all.get("value").is_some_and(|value| *value == 0);
            (root || open || zero).then(|| format!("{key}: {value}")).or_else(|| forbidden(value))
        }),
        Value::Array(all) => all.iter().find_map(forbidden),
        Value::String(text) => text.contains("chmod").then(|| format!("a change of mode: {text}")),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The plan of every recording: Prometheus is never made root, and nothing opened to everybody.
#[test]
fn no_plan_makes_it_root_or_opens_files_to_all() {
    let mut plans = 0;
    for case in cases() {
        let session = std::fs::read_to_string(case.join("session")).expect("a session is text");
        let commands = session.lines().filter_map(|line| line.strip_prefix("$ "));
        // One is enough: a class shows the plan that a diagnosis does.
        let Some(line) = commands.into_iter().find(|line| {
            line.contains("--bundle") && !line.contains("-o ") && !line.contains(" -A")
        }) else {
            continue;
        };
        let said = run(&format!("{line} -o plan"), &case);
        let yaml: Vec<&str> =
            said.lines().filter(|l| !l.starts_with(['$', '!', '?', '#'])).collect();
        let plan: serde_json::Value = serde_saphyr::from_str(&yaml.join("\n")).unwrap_or_default();
        let Some(steps) = plan.get("steps") else { continue };
        plans += 1;
        assert_eq!(forbidden(steps), None, "{}", case.display());
    }
    assert!(plans > 80, "{plans} plans");
}

#[test]
fn every_case_says_what_it_said() {
    let cases = cases();
    assert!(!cases.is_empty(), "no case found");
    let mut wrong = Vec::new();
    for case in &cases {
        let file = case.join("session");
        let wanted = std::fs::read_to_string(&file).expect("a session is text");
        let commands = wanted.lines().filter_map(|line| line.strip_prefix("$ "));
        let said: Vec<String> = commands.map(|line| run(line, case)).collect();
        let said = said.join("\n");
        if said == wanted {
            continue;
        }
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&file, said).expect("the session can be written");
            continue;
        }
        let diff = similar::TextDiff::from_lines(&wanted, &said);
        wrong.push(format!("{}\n{}", case.display(), diff.unified_diff().context_radius(2)));
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

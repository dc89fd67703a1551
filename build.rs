//! Puts the agents for helper pods into the plugin: those that `krew/agent` made in the folder that
//! `PROM_FIX_AGENTS` names. Without it none are, and the plugin takes them from a folder as it runs.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// As Kubernetes names a machine in the label `kubernetes.io/arch`, and as Rust does.
const MACHINES: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PROM_FIX_AGENTS");
    let mut list = String::from("&[\n");
    if let Some(folder) = env::var_os("PROM_FIX_AGENTS").map(PathBuf::from) {
        for (arch, machine) in MACHINES {
            let file = folder.join(format!("prom-fix-agent-{machine}.gz"));
            assert!(file.is_file(), "PROM_FIX_AGENTS: {} is not there", file.display());
            println!("cargo::rerun-if-changed={}", file.display());
            writeln!(list, "    ({arch:?}, include_bytes!({file:?})),").expect("a string");
        }
    }
    list.push_str("]\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("agents.rs"), list).expect("OUT_DIR can be written");
}

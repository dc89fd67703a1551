//! The agents that this program carries for helper pods, one for each architecture, compressed. A
//! build without them takes them from a folder that `krew/agent` made.

use std::env;
use std::io::Read;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::model::inside::{AGENT, REFERENCE};

/// Architecture, as Kubernetes names it, and the file.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/agents.rs"));

/// Where they are where none is built in.
pub const FOLDER: &str = "PROM_FIX_AGENT_DIR";

/// Larger than any that a ConfigMap could carry.
const MOST: u64 = 1 << 20;

/// Each architecture with the SHA-256 of its agent.
pub fn all() -> impl Iterator<Item = (String, String)> {
    ["amd64", "arm64"].into_iter().filter_map(|arch| Some((arch.to_owned(), sum(&agent(arch)?))))
}

/// The agent for an architecture.
fn agent(arch: &str) -> Option<Vec<u8>> {
    if let Some((_, packed)) = EMBEDDED.iter().find(|(of, _)| *of == arch) {
        return unpacked(*packed);
    }
    let machine = match arch {
        "amd64" => "x86_64",
        _ => "aarch64",
    };
    let folder = PathBuf::from(env::var_os(FOLDER)?);
    unpacked(std::fs::File::open(folder.join(format!("prom-fix-agent-{machine}.gz"))).ok()?)
}

fn unpacked(packed: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    GzDecoder::new(packed).take(MOST).read_to_end(&mut out).ok()?;
    Some(out)
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A ConfigMap that names an agent by its sum, as plans and receipts do, with the agent in it; another
/// object as it is. `None` where this program does not carry that one.
pub fn filled(body: &Value) -> Option<Value> {
    let place = format!("/binaryData/{AGENT}");
    let Some(named) = body.pointer(&place).and_then(Value::as_str) else {
        return Some(body.clone());
    };
    let wanted = named.strip_prefix(REFERENCE)?;
    let bytes = ["amd64", "arm64"].into_iter().filter_map(agent).find(|b| sum(b) == wanted)?;
    let mut filled = body.clone();
    *filled.pointer_mut(&place)? = json!(k8s_openapi::ByteString(bytes));
    Some(filled)
}

//! References to images, as a person or a plan names them. No registry is asked.

/// Whether a text names an image: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]` (distribution/reference
/// `reference.go`). It goes into a pod and onto a screen, so nothing else passes.
pub fn is_reference(text: &str) -> bool {
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (text, None),
    };
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        Some(_) | None => (name, None),
    };
    let (host, path) = match path.split_once('/') {
        Some((host, path)) if is_host(host) => (Some(host), path),
        Some(_) | None => (None, path),
    };
    text.len() <= 512
        && path.split('/').all(|part| is_part(part, |c| c.is_ascii_lowercase()))
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
        && host.is_none_or(|host| host.len() <= 255)
}

/// A first part with a `.` or a `:` is a host.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "1"));
    is_part(name, |c| c.is_ascii_alphabetic())
        && (text.contains(['.', ':']) || name == "localhost")
        && !port.is_empty()
        && port.chars().all(|c| c.is_ascii_digit())
}

/// Letters and digits, with `.`, `_` and `-` between them.
fn is_part(text: &str, letter: fn(char) -> bool) -> bool {
    let inner = |c: char| letter(c) || c.is_ascii_digit();
    text.starts_with(inner)
        && text.ends_with(inner)
        && text.chars().all(|c| inner(c) || "._-".contains(c))
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= 128 && text.starts_with(word) && text.chars().all(|c| word(c) || ".-".contains(c))
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, sum)| {
        is_part(kind, |c| c.is_ascii_lowercase())
            && sum.len() >= 32
            && sum.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_an_image_is_told_from_what_does_not() {
        let sum = "a".repeat(64);
        for fits in [
            "busybox",
            "busybox:1.36",
            "quay.io/prometheus/prometheus:v3.16.0-distroless",
            "localhost:5000/a/b_c-d",
            "localhost/a",
            "Reg.Example.com/a:V1",
            &format!("quay.io/a/b:v1@sha256:{sum}"),
            &format!("a@sha256:{sum}"),
        ] {
            assert!(is_reference(fits), "{fits}");
        }
        for other in [
            "",
            "Upper/case",
            "a b",
            "a\u{1b}[2J",
            "a:",
            "a:b:c",
            "/a",
            "a//b",
            "a/",
            "-a",
            "https://quay.io/a",
            "a@sha256:short",
            "a@",
            "quay.io:port/a",
            &"a".repeat(513),
        ] {
            assert!(!is_reference(other), "{other:?}");
        }
    }
}

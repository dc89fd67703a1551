//! When a client certificate ends: to an expired one the server answers a bare 401. Reads the one
//! field of X.509 that tells (RFC 5280, section 4.1) and knows nothing else of certificates.

use jiff::Timestamp;
use k8s_openapi::ByteString;
use kube::config::AuthInfo;
use serde_json::json;

/// The end of the certificate that these credentials hold; none where there is none, or where it
/// cannot be read: the client says so by itself.
pub fn ends(user: &AuthInfo) -> Option<Timestamp> {
    let pem = match (&user.client_certificate_data, &user.client_certificate) {
        (Some(data), _) => base64(data)?,
        (None, Some(path)) => std::fs::read(path).ok()?,
        (None, None) => return None,
    };
    let text = std::str::from_utf8(&pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    not_after(&base64(body)?)
}

/// Base64, over lines or not, by the decoder that reads Secrets.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_whitespace().collect();
    serde_json::from_value::<ByteString>(json!(text)).ok().map(|bytes| bytes.0)
}

/// `Certificate { tbsCertificate { [0] version?, serial, signature, issuer, validity { notBefore,
/// notAfter }, … } … }`, each as DER writes it: tag, length, value.
fn not_after(mut der: &[u8]) -> Option<Timestamp> {
    let (_, mut certificate) = next(&mut der)?;
    let (_, mut fields) = next(&mut certificate)?;
    const VERSION: u8 = 0xa0;
    if next(&mut fields)?.0 == VERSION {
        next(&mut fields)?;
    }
    let (_signature, _issuer) = (next(&mut fields)?, next(&mut fields)?);
    let (_, mut validity) = next(&mut fields)?;
    let _not_before = next(&mut validity)?;
    let (tag, value) = next(&mut validity)?;
    time(tag, std::str::from_utf8(value).ok()?)
}

/// `260102030405Z`, from 2050 on `20500102030405Z`.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    const UTC_TIME: u8 = 0x17;
    let text = match tag {
        // Two digits of a year: from 50 on they are of the last century.
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        _ => text.to_owned(),
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

/// The next element and the rest.
fn next<'a>(der: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, rest) = der.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = if *short < 0x80 {
        (usize::from(*short), rest)
    } else {
        let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f).min(8))?;
        (long.iter().fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte)), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *der = rest;
    Some((*tag, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by openssl for `CN=old`, valid for no day.
    const OLD: &str = "\
-----BEGIN CERTIFICATE-----
MIIBFTCBvQIULssUU63trZaC9DrYfRottXXDw0cwCgYIKoZIzj0EAwIwDjEMMAoG
A1UEAwwDb2xkMB4XDTI2MTEyNTA2NDM0NVoXDTI2MTEyNTA2NDM0NVowDjEMMAoG
A1UEAwwDb2xkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGfYMl5YmRNz0Bnga
IbPqjH9B++YTnjPFJe5syT5ChcE54J+pEFnkRC3xBzU8RmRoWysHrFDJMwWIxufY
ejPkiDAKBggqhkjOPQQDAgNHADBEAiBhnyMq6Cc4DJFdezeI8rrcr0aStSfAc87U
oKBj+u8EPAIgdFRuQiX81mTSaqpWNiZl5fCMq+KAW9aV8XT3dmSODWU=
-----END CERTIFICATE-----";

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("old.crt");
        std::fs::write(&file, OLD).expect("written");
        let path = Some(file.display().to_string());
        let user = AuthInfo { client_certificate: path, ..AuthInfo::default() };
        assert_eq!(ends(&user), "2026-11-25T06:43:45Z".parse().ok());
        assert_eq!(ends(&AuthInfo::default()), None);
    }

    #[test]
    fn years_have_two_digits_or_four() {
        let rows = [
            (0x17, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (0x17, "991231235959Z", Some("1999-12-31T23:59:59Z")),
            (0x18, "20500101000000Z", Some("2050-01-01T00:00:00Z")),
            (0x18, "2050", None),
            (0x17, "", None),
        ];
        for (tag, text, end) in rows {
            assert_eq!(time(tag, text), end.and_then(|e| e.parse().ok()), "{text}");
        }
    }

    #[test]
    fn what_is_cut_or_no_certificate_has_no_end() {
        let (_, body) = OLD.split_once("-----BEGIN CERTIFICATE-----").expect("a certificate");
        let (body, _) = body.split_once("-----END").expect("a certificate");
        let der = base64(body).expect("base64");
        assert!(not_after(&der).is_some());
        // Before the end of the field nothing is known of it.
        for cut in 0..100 {
            assert_eq!(not_after(der.get(..cut).expect("longer")), None, "{cut}");
        }
        assert_eq!(not_after(&[0x30, 0xff, 0xff, 0xff]), None);
    }
}

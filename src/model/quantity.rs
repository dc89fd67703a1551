//! Kubernetes memory quantities as whole bytes, read as the API server reads them and written as
//! people write them.

/// Bytes of a quantity such as `2Gi`, `512M`, `1e3`, `1.5Gi`, `1073741824`, `128974848000m`;
/// fractions round up, as the API server does. `None` for what it would refuse.
///
/// Source: `k8s.io/apimachinery/pkg/api/resource/quantity.go`, v0.34.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let below = 10u128.checked_pow(fraction.len().try_into().ok()?)?;
    let (times, per) = scale(suffix)?;
    let scaled = digits.checked_mul(times)?;
    u64::try_from(scaled.div_ceil(below.checked_mul(per)?)).ok()
}

/// The factor and divisor of a suffix.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let binary = |power: u32| Some((1024u128.pow(power), 1));
    let decimal = |power: u32| Some((1000u128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "m" => Some((1, 1000)),
        "u" => Some((1, 1_000_000)),
        "n" => Some((1, 1_000_000_000)),
        _ => {
            let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let tens = 10u128.checked_pow(power.unsigned_abs())?;
            Some(if power < 0 { (1, tens) } else { (tens, 1) })
        }
    }
}

const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;

/// Bytes as people read them: `812Mi`, `3.4Gi`, rounded down to the digits shown.
pub fn show_bytes(bytes: u64) -> String {
    if bytes >= GI {
        let tenths = bytes / (GI / 10);
        if tenths.is_multiple_of(10) {
            format!("{}Gi", tenths / 10)
        } else {
            format!("{}.{}Gi", tenths / 10, tenths % 10)
        }
    } else if bytes >= MI {
        format!("{}Mi", bytes / MI)
    } else {
        format!("{}Ki", bytes / 1024)
    }
}

/// Rounds a need up to what people write in a manifest, as a quantity: steps of 64Mi up to 512Mi,
/// of 128Mi up to 1Gi, of 512Mi up to 4Gi, of 1Gi up to 16Gi, then of 2Gi and 4Gi. A step is at
/// most a quarter of the value, so rounding never doubles a request.
pub fn round_up(bytes: u64) -> String {
    let step = match bytes {
        b if b <= 64 * MI => 16 * MI,
        b if b <= 512 * MI => 64 * MI,
        b if b <= GI => 128 * MI,
        b if b <= 4 * GI => 512 * MI,
        b if b <= 16 * GI => GI,
        b if b <= 64 * GI => 2 * GI,
        _ => 4 * GI,
    };
    let up = bytes.div_ceil(step) * step;
    write_bytes(up)
}

/// The shortest exact quantity in binary units: `2Gi`, `1536Mi`.
pub fn write_bytes(bytes: u64) -> String {
    for (unit, suffix) in [(GI, "Gi"), (MI, "Mi"), (1024, "Ki")] {
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{suffix}", bytes / unit);
        }
    }
    bytes.to_string()
}

/// A count with thin groups: `812 000`.
pub fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Of milliseconds; as a number where no calendar has it.
#[must_use]
pub fn show_time(milliseconds: i64) -> String {
    match jiff::Timestamp::from_millisecond(milliseconds) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => format!("{milliseconds} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_the_api_server_reads_them() {
        for (text, bytes) in [
            ("2Gi", Some(2 * GI)),
            ("1.5Gi", Some(3 * GI / 2)),
            ("512M", Some(512_000_000)),
            ("1e3", Some(1000)),
            ("1500m", Some(2)),
            ("0.1", Some(1)),
            ("1073741824", Some(GI)),
            ("", None),
            ("Gi", None),
            ("2GB", None),
            ("-1", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }

    #[test]
    fn needs_round_up_to_what_people_write() {
        for (bytes, text) in [
            (3 * GI / 2 + 1, "2Gi"),
            (3 * GI + GI / 2, "3584Mi"),
            (5 * GI + 1, "6Gi"),
            (100 * MI, "128Mi"),
            (40 * MI, "48Mi"),
            (17 * GI, "18Gi"),
        ] {
            assert_eq!(round_up(bytes), text);
        }
        assert_eq!(show_count(1_812_000), "1 812 000");
        assert_eq!(show_bytes(3 * GI + GI / 2), "3.5Gi");
    }
}
